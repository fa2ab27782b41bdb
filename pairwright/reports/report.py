"""`pairwright report`: a page to judge a run by eye."""

from pathlib import Path

from pydantic import Field, PositiveInt
from rich.console import Console
from rich.text import Text

from pairwright.config import OPERATIONAL, POSITIONAL, Config
from pairwright.errors import UsageError
from pairwright.folders.claim import refuse_foreign_file
from pairwright.folders.durable import write_durably
from pairwright.reports.stats import PriceConfig

REPORT = "report.html"
MOST_RUNS = 6


class FoldersConfig(Config):
    """Which folders to look at."""

    runs: tuple[Path, ...] = Field(min_length=1, json_schema_extra=POSITIONAL)
    """Folders of runs, trainings, games or loops; several stand side by side."""


class ReportConfig(PriceConfig, FoldersConfig):
    """Write one page about a folder, or about several side by side: rows, pairs, judges, curves, rounds.

    Example: pairwright report runs/pairs runs/model --out report.html
    """

    out: Path | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """The page to write; `report.html` in the first folder by default."""
    pairs: PositiveInt = Field(default=1000, json_schema_extra=OPERATIONAL)
    """Most rows to show in full. Of more, a sample that is the same on every machine."""


def report(config: ReportConfig) -> None:
    """Write the page. It needs no network and runs no text that came from data."""
    from pairwright.figures.folder import figures_of
    from pairwright.reports.examples import Shown, examples_of
    from pairwright.reports.page import render

    if len(config.runs) > MOST_RUNS:
        raise UsageError(f"{len(config.runs)} folders: at most {MOST_RUNS} fit side by side")
    if config.out is not None and config.out.is_dir():
        raise UsageError(f"{config.out}: is a folder; name the page, such as {config.out / REPORT}")
    path = config.out or config.runs[0] / REPORT
    refuse_foreign_file(path, b"<!doctype html>", setting="--out")
    figures = [figures_of(folder, config.prices) for folder in config.runs]
    most = config.pairs // max(sum(f.rows is not None for f in figures), 1)
    examples: list[Shown] = []
    for place, (folder, found) in enumerate(zip(config.runs, figures, strict=True)):
        if found.rows is not None:
            examples += examples_of(folder, found.rows, place, most)
    page = render(figures, examples).encode("utf-8", "replace")
    write_durably(path, page)
    Console().print(Text(f"{path}: {len(page) / 2**20:.1f} MiB, {len(examples):,} rows to read"))
