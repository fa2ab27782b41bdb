"""`pairwright winrate`: how often one model's answers are better than another's."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PositiveInt
from rich.console import Console

from judge.calibration import jury_identity
from judge.command import require_verdicts
from judge.judges import JuryConfig
from judge.sides import Side, side_of
from judge.versus import MISSING, VersusStage
from judge.win_rates import Estimate, length_controlled, resamples, sign_test, win_rate
from judge.winrate_table import winrate_table
from pairwright.candidates import Candidates
from pairwright.columns import Columns
from pairwright.config import OPERATIONAL, POSITIONAL, Config
from pairwright.durable import write_durably
from pairwright.engines import EngineOptions
from pairwright.errors import PairwrightError, UsageError
from pairwright.manifest import Manifest
from pairwright.records import KEPT, Record
from pairwright.runs import run_stage
from pairwright.stage import StageConfig
from pairwright.store import read_tables

WINRATE = "winrate.json"
_NAMED = 3

log = logging.getLogger(__name__)


class SidesConfig(Config):
    """Who is compared with whom; on the command line first the one, then the other."""

    group: ClassVar[str] = "Sides"

    input: str = Field(json_schema_extra=POSITIONAL)
    """Whose wins are counted: an engine that answers, a run folder of `sample`, or a file of answers."""
    baseline: str = Field(json_schema_extra=POSITIONAL)
    """Against whom: the same."""


class WinrateConfig(JuryConfig, StageConfig, SidesConfig):
    """Count how often the answers of INPUT are better than those of BASELINE, by a judge.

    Example: pairwright winrate runs/new runs/old --judge hf:smollm2 --out runs/versus
    """

    input: str = Field(json_schema_extra=POSITIONAL)
    """Whose wins are counted: an engine that answers, a run folder of `sample`, or a file of answers."""
    prompts: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Prompts to compare on. Without it those of the first side that holds answers."""
    policy_max_tokens: PositiveInt = 512
    """Most tokens of an answer that an engine is asked for; one that is cut off is left out."""
    policy_temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Softmax temperature of such answers."""
    seed: int = Field(default=0, ge=0, json_schema_extra=OPERATIONAL)
    """Decides the draws of the bootstrap."""
    max_failed: float = Field(default=0.1, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Most prompts without a verdict (failed or unparsed), as a share; with more the command fails."""


class Winrate(Record):
    """How one side did against the other."""

    input: str
    baseline: str
    judges: dict[str, str]
    """Who judged and how: models, protocols, templates and rules."""
    prompts: int
    compared: int
    """Prompts with a verdict; all numbers are over these."""
    wins: int
    ties: int
    losses: int
    identical: int
    """Ties because both answers were the same."""
    inconsistent: int
    """Ties because the judge prefers another answer when the order is turned round."""
    unparsed: int
    missing: dict[str, int]
    """Prompts that a side has no answer to, by side."""
    dropped: dict[str, int]
    """All prompts that were not compared, by status."""
    win_rate: Estimate
    """Wins and half the ties over `compared`, with its 95 % bootstrap interval over prompts."""
    length_controlled: Estimate | None
    """The same at equal lengths; None when no two prompts differ in how much the lengths do."""
    length_effect: float | None
    """Coefficient of tanh of the standardised length difference: above 0, longer answers win."""
    sign_test: float
    """Two-sided exact p-value of wins against losses, ties left out."""
    mean_probability: float
    """Mean probability, over both orders, that the input's answer is better; it needs no rule for ties."""
    mean_lengths: tuple[float, float]
    """Characters of the input's and of the baseline's answers."""


def winrate(config: WinrateConfig) -> Manifest | None:
    """Compare both sides on every prompt, write `winrate.json` into the run folder, and print it.

    Returns the finished run's manifest; None after `preview` or `dry_run`. Raises `PairwrightError`
    when more than `max_failed` of the prompts came to no verdict, or none to any.
    """
    sides = _sides(config)
    stage = VersusStage(config, sides)
    source = config.prompts or next(s.name for s in sides if s.engine is None)
    columns = Columns(config.prompt_column)

    def read(_: str, __: Columns, limit: int | None, reserved: Iterable[str]) -> Candidates:
        return Candidates(source, columns, limit, reserved, answers=False)

    given = {s.role: s.revision for s in sides if s.engine is None}
    manifest = run_stage(stage, config, read, given)
    if manifest is None:
        return None
    options = EngineOptions(**{name: getattr(config, name) for name in EngineOptions.model_fields})
    found = measured(config, jury_identity(stage.jury, config, options), manifest)
    write_durably(Path(config.out) / WINRATE, (found.model_dump_json(indent=1) + "\n").encode())
    Console().print(winrate_table(found))
    require_verdicts(manifest, config.max_failed, config.out)
    return manifest


def load_winrate(folder: Path) -> Winrate:
    """What `winrate` wrote into a folder."""
    return Winrate.model_validate_json((folder / WINRATE).read_bytes())


def measured(config: WinrateConfig, judges: dict[str, str], manifest: Manifest) -> Winrate:
    """The win rate that the rows of a finished run come to."""
    folder = Path(config.out)
    rows = [row for table in read_tables(folder) for row in table.to_pylist()]
    rows.sort(key=lambda row: str(row["row_id"]))
    left_out = [row for table in read_tables(folder, "dropped") for row in table.to_pylist()]
    missing = _missing(left_out)
    if not rows:
        raise PairwrightError(f"{folder}: no prompt came to a verdict; the reasons are in dropped/")
    points = [row["win"] for row in rows]
    draws = resamples(len(rows), config.seed)
    controlled = length_controlled(points, [row["length_difference"] for row in rows], draws)
    decisions = Counter(row["decision"] for row in rows)
    wins, losses = points.count(1.0), points.count(0.0)
    return Winrate(
        input=config.input,
        baseline=config.baseline,
        judges=judges,
        prompts=manifest.items,
        compared=len(rows),
        wins=wins,
        ties=len(rows) - wins - losses,
        losses=losses,
        identical=decisions["identical"],
        inconsistent=decisions["inconsistent"],
        unparsed=manifest.counts.get("unparsed", 0),
        missing=missing,
        dropped={s: n for s, n in sorted(manifest.counts.items()) if s != KEPT},
        win_rate=win_rate(points, draws),
        length_controlled=controlled and controlled[0],
        length_effect=controlled and controlled[1].length,
        sign_test=sign_test(wins, losses),
        mean_probability=_mean(row["verdict"]["preference"] for row in rows),
        mean_lengths=tuple(
            _mean(len(row[s][0]["content"]) for row in rows) for s in ("answer", "baseline")
        ),
    )


def _sides(config: WinrateConfig) -> tuple[Side, Side]:
    columns = Columns(config.prompt_column, config.answer_column)
    sides = side_of("input", config.input, columns), side_of("baseline", config.baseline, columns)
    if config.prompts is None and all(s.engine is not None for s in sides):
        raise UsageError("--prompts must be given: both sides are engines, which have no prompts")
    return sides


def _missing(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many prompts each side has no answer to; the first of them are named in a warning."""
    found = [(row["reason"].partition(":")[0], row) for row in rows if row["status"] == MISSING]
    if found:
        named = ", ".join(repr(row["prompt"][-1]["content"][:60]) for _, row in found[:_NAMED])
        log.warning(
            "%d prompts have no answer on one side: %s%s", len(found), named, " …" * (len(found) > _NAMED)
        )
    return dict(Counter(side for side, _ in found))


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _mean_length(rows: Iterable[Mapping[str, Any]], side: str) -> float:
    return _mean(len(row[side][0]["content"]) for row in rows)
