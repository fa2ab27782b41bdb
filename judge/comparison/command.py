"""`pairwright winrate`: which of two models gives better answers."""

import logging
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from judge.comparison.config import WinrateConfig
from judge.comparison.correction import JudgeErrors, errors_of
from judge.comparison.matching import Matched, Mismatch, Side, unmatched_in_words
from judge.comparison.playing import answers_and_run, tournament
from judge.comparison.stage import WinrateStage, verdict_preference
from judge.comparison.statistics import fit_length, in_words, length_feature, win_rates
from pairwright.engines.thoughts import read_marks
from pairwright.errors import PairwrightError
from pairwright.figures.intervals import Interval, Rate, sign_test
from pairwright.folders.durable import write_durably
from pairwright.folders.json_record import read_record
from pairwright.folders.manifest import Manifest
from pairwright.folders.shards import read_tables
from pairwright.records import FAILED, Record, Sampling
from pairwright.stages.run import run_stage

WINRATE = "winrate.json"
_AGAIN = "make it with pairwright winrate … --fresh"
log = logging.getLogger(__name__)


class Winrate(Record):
    """The results of a comparison."""

    a: str
    b: str
    judge: str
    verdict: str
    """The numbers in words."""
    prompts: int
    decided: int
    """Prompts with a verdict; the rates are over these."""
    wins: int
    losses: int
    ties: int
    """Of these, prompts without a clear preference, equal answers among them; they count half."""
    identical: int
    inconsistent: int
    """Ties because a judge prefers another answer when the order is turned round."""
    unparsed: int
    failed: int
    win_rate: Interval
    length_controlled: Interval
    """Win rate of a if its answers were as long as those of b."""
    corrected: Interval | None = None
    """Win rate of a with the judge's errors taken out (`--calibration`); None where nothing can be said."""
    agreement: Rate | None = None
    """The calibrated agreement behind it, in points."""
    agreement_by_side: tuple[Rate, ...] | None = None
    """The same where people prefer a, and where b, if the labelled pairs are of these two models."""
    length_coefficient: float
    """Of tanh(length difference / its standard deviation), in log-odds."""
    mean_preference: float
    """Mean probability that a is better, over prompts, orders and judges."""
    sign_test: float
    """Two-sided exact p-value of wins against losses."""
    mean_length_a: float
    """In characters."""
    mean_length_b: float
    mismatch: Mismatch


def winrate(config: WinrateConfig) -> Manifest | None:
    """Compare two models on every prompt, write `winrate.json` into the run folder, and print it.

    More than two, or rounds that may end early, are a tournament, and `tournament.json` is written.
    Returns the finished run's manifest; None after `preview` or `dry_run`. Raises `PairwrightError`
    when no prompt came to a verdict; all rows are written then.
    """
    errors = None if config.calibration is None else errors_of(config, config, config.calibration)
    if config.is_tournament:
        return tournament(config, errors)
    sides = (Side("a", config.a), Side("b", config.b))
    given, run = answers_and_run(config, sides)
    sampling = Sampling(max_tokens=config.max_tokens, temperature=config.temperature)
    stage = WinrateStage(config, sides, sampling, read_marks(config.thinking_tags))
    reader = partial(Matched, given=list(given.values()))
    answered = {f"{name} answers": answers.sha256 for name, answers in given.items()}
    manifest = run_stage(stage, config, reader, answered, run=run, budget=config)
    if manifest is None:
        return None
    rows = reader(run.input, run.wanted_columns, config.limit)
    found = measured(config, manifest, rows.mismatch(given), errors)
    write_durably(Path(config.out) / WINRATE, (found.model_dump_json(indent=1) + "\n").encode())
    for kind, examples in found.mismatch.examples.items():
        log.warning("%s", unmatched_in_words(kind, getattr(found.mismatch, kind), examples[0]))
    Console().print(winrate_table(found))
    return manifest


def measured(
    config: WinrateConfig, manifest: Manifest, mismatch: Mismatch, errors: JudgeErrors | None = None
) -> Winrate:
    """Return the numbers of a finished comparison."""
    rows = [row for table in read_tables(Path(config.out)) for row in table.to_pylist()]
    if not rows:
        raise PairwrightError(
            f"{config.out}: no prompt came to a verdict; the reasons are in {config.out}/dropped"
        )
    points = np.array([row["points"] for row in rows], dtype=np.float64)
    lengths = np.array([row["length_difference"] for row in rows], dtype=np.float64)
    decisions = Counter(row["decision"] for row in rows)
    raw, controlled = win_rates(points, lengths, config.bootstrap_samples, config.seed)
    wins, losses = int((points == 1).sum()), int((points == 0).sum())
    p = sign_test(wins, losses)
    mean_a, mean_b = (float(np.mean([len(row[f"answer_{s}"][0]["content"]) for row in rows])) for s in "ab")
    return Winrate(
        a=config.a,
        b=config.b,
        judge=config.judge or "",
        verdict=in_words(raw, p, (config.a, config.b)),
        prompts=manifest.items,
        decided=len(rows),
        wins=wins,
        losses=losses,
        ties=len(rows) - wins - losses,
        identical=decisions["identical"],
        inconsistent=decisions["inconsistent"],
        unparsed=manifest.counts.get("unparsed", 0),
        failed=manifest.counts.get(FAILED, 0),
        win_rate=raw,
        length_controlled=controlled,
        corrected=errors and errors.corrected(rows),
        agreement=errors and errors.agreement,
        agreement_by_side=tuple(errors.of(rows)) if errors and len(errors.of(rows)) == 2 else None,
        length_coefficient=fit_length(points, length_feature(lengths)).length,
        mean_preference=float(np.mean([verdict_preference(row) for row in rows])),
        sign_test=p,
        mean_length_a=mean_a,
        mean_length_b=mean_b,
        mismatch=mismatch,
    )


def load_winrate(folder: Path) -> Winrate:
    """Return what `winrate` wrote into a folder. Raises `PairwrightError` when it cannot be read."""
    found = read_record(folder / WINRATE, Winrate, _AGAIN)
    if found is None:
        raise PairwrightError(f"{folder}: no {WINRATE} here; {_AGAIN}")
    return found


def points_of(folder: Path) -> dict[str, float]:
    """Return the points of a in a finished comparison, by prompt."""
    names = ["prompt_id", "points"]
    rows = (row for table in read_tables(folder) for row in table.select(names).to_pylist())
    return {row["prompt_id"]: float(row["points"]) for row in rows}


def winrate_table(found: Winrate) -> Table:
    """Return the comparison as a table for people."""
    table = Table("measure", "value", "95 % interval", title="win rate of a", caption=found.verdict)
    rates = {"raw": found.win_rate, "length-controlled": found.length_controlled}
    if found.corrected is not None:
        rates["corrected for the judge's errors"] = found.corrected
    for name, rate in rates.items():
        table.add_row(name, f"{rate.value:.1%}", f"{rate.low:.1%} – {rate.high:.1%}")
    if found.agreement_by_side is not None:
        shares = ", ".join(f"{rate.value:.1%}" for rate in found.agreement_by_side)
        table.add_row("… its points where people prefer a, b", shares, "on labelled pairs")
    if found.agreement is not None and found.corrected is None:
        table.add_row("corrected for the judge's errors", "–", "not shown to be better than chance")
    table.add_row("wins, losses, ties", f"{found.wins}, {found.losses}, {found.ties}", "")
    table.add_row("sign test, two-sided p", f"{found.sign_test:.3g}", "")
    table.add_row("mean preference", f"{found.mean_preference:.3f}", "")
    table.add_row("equal, inconsistent", f"{found.identical}, {found.inconsistent}", "of the ties")
    table.add_row("unparsed, failed", f"{found.unparsed}, {found.failed}", f"of {found.prompts:,} prompts")
    lengths = f"{found.mean_length_a:.0f}, {found.mean_length_b:.0f}"
    table.add_row("characters of a, of b", lengths, "on average")
    return table
