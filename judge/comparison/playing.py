"""Tournaments: `pairwright winrate` with more than two models, or in rounds that may end early."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from string import ascii_lowercase

from rich.console import Console
from rich.table import Table

from judge.comparison.config import WinrateConfig
from judge.comparison.correction import JudgeErrors
from judge.comparison.matching import Answers, Matched, Side, unmatched_in_words
from judge.comparison.meetings import ERROR_RATE, TournamentInRounds, TournamentStage, standing_after
from judge.comparison.tournament import TOURNAMENT, Tournament, tournament_of
from pairwright.engines.thoughts import read_marks
from pairwright.errors import UsageError
from pairwright.figures.intervals import Interval
from pairwright.folders.durable import write_durably
from pairwright.folders.manifest import Manifest
from pairwright.folders.shards import read_tables
from pairwright.records import Sampling
from pairwright.stages.config import RunConfig
from pairwright.stages.run import run_stage

log = logging.getLogger(__name__)


def tournament(config: WinrateConfig, errors: JudgeErrors | None) -> Manifest | None:
    """Run a tournament of several models, write `tournament.json` into the run folder, and print it."""
    sides = sides_of(config)
    given, run = answers_and_run(config, sides)
    sampling = Sampling(max_tokens=config.max_tokens, temperature=config.temperature)
    life = TournamentInRounds if config.in_rounds else TournamentStage
    stage = life(config, sides, sampling, read_marks(config.thinking_tags))
    reader = partial(Matched, given=list(given.values()), seed=config.seed if config.in_rounds else None)
    known = {f"{name} answers": answers.sha256 for name, answers in given.items()}
    if config.in_rounds:
        known |= {"order of prompts": f"drawn from seed {config.seed}"}
        run = run.model_copy(update={"shard_size": config.prompts_per_round})
    manifest = run_stage(stage, config, reader, known, run=run, budget=config)
    if manifest is None:
        return None
    tables = list(read_tables(Path(config.out)))
    standing = standing_after(tables, sides, (config.until or ERROR_RATE) if config.in_rounds else None)
    unmatched = reader(run.input, run.wanted_columns, config.limit).unmatched(given)
    mismatch = {kind: len(texts) for kind, texts in unmatched.items()}
    for kind, texts in unmatched.items():
        if texts:
            log.warning("%s", unmatched_in_words(kind, len(texts), texts[0]))
    rows = [row for table in tables for row in table.to_pylist()]
    models = [side.spec for side in sides]
    found = tournament_of(config, models, rows, manifest, standing, mismatch, errors)
    write_durably(Path(config.out) / TOURNAMENT, (found.model_dump_json(indent=1) + "\n").encode())
    for table in tournament_tables(found):
        Console().print(table)
    return manifest


def sides_of(config: WinrateConfig) -> list[Side]:
    """Return those who meet, named `a`, `b` and so on. Raises `UsageError`."""
    specs = [config.a, config.b, *config.others]
    twice = next((spec for spec in specs if specs.count(spec) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice; name each model of a tournament once")
    if len(specs) > len(ascii_lowercase):
        raise UsageError(f"{len(specs)} models; name at most {len(ascii_lowercase)}")
    return [Side(name, spec) for name, spec in zip(ascii_lowercase, specs, strict=False)]


def answers_and_run(config: WinrateConfig, sides: Sequence[Side]) -> tuple[dict[str, Answers], RunConfig]:
    """Return the answers that are there, by side, and the prompts with the folder to write."""
    given = {s.name: Answers(s, config.prompts, config.prompt_column) for s in sides if not s.engine}
    prompts = config.prompts or next((answers.path for answers in given.values()), None)
    if prompts is None:
        raise UsageError("--prompts must be given: engines need prompts to answer")
    run = RunConfig(
        input=prompts,
        out=config.out,
        limit=config.limit,
        prompt_column=config.prompt_column,
        preview=config.preview,
        dry_run=config.dry_run,
        fresh=config.fresh,
    )
    return given, run


def tournament_tables(found: Tournament) -> list[Table]:
    """Return the order, and every pair, as tables for people."""
    places = Table(
        *("model", "strength", "95 % interval", "points", "95 % interval", "characters"),
        title=f"{found.used:,} of {found.prompts:,} prompts, "
        f"{found.comparisons:,} of {found.of:,} comparisons",
        caption=found.verdict,
    )
    for place in found.places:
        strength, points = place.strength, place.points
        places.add_row(
            place.model,
            f"{strength.value:+.2f}",
            f"{strength.low:+.2f} – {strength.high:+.2f}",
            f"{points.value:.1%}",
            f"{points.low:.1%} – {points.high:.1%}",
            f"{place.mean_length:.0f}",
        )
    pairs = Table(
        *("pair", "measure", "of the first", "95 % interval", "better"),
        caption=f"better: at most {found.error_rate:.1%} that any of it is wrong",
    )
    for m in found.meetings:
        better = "–" if m.better is None else m.better + (" (follows)" if m.follows else "")
        pairs.add_row(
            f"{m.a} :\n{m.b}", "wins, losses, ties", f"{m.wins}, {m.losses}, {m.ties}", "", better
        )
        value, low, high, _ = m.win_rate
        pairs.add_row("", "raw", *_cells(None if value is None else Interval(value, low, high)))
        controlled = "–" if m.length_controlled is None else f"{m.length_controlled:.1%}"
        pairs.add_row("", "length-controlled", controlled)
        if found.agreement is not None:
            pairs.add_row("", "corrected", *_cells(m.corrected))
        pairs.add_section()
    return [places, pairs]


def _cells(found: Interval | None) -> tuple[str, ...]:
    return ("–",) if found is None else (f"{found.value:.1%}", f"{found.low:.1%} – {found.high:.1%}")
