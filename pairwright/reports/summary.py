"""What a command says at its end: how its rows ended."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pairwright.folders.manifest import Manifest
from pairwright.records import FAILED, KEPT

_MOST_WIDE = 78
"""Characters of a table on the narrowest screen."""


def show_summary(folder: Path, manifest: Manifest) -> None:
    """Print how the rows of a finished run ended and where they are."""
    console = Console()
    console.print(status_table(folder, manifest))
    kept = manifest.counts.get(KEPT, 0)
    console.print(Text(f"kept rows: {folder}/data · the others, with reasons: {folder}/dropped"))
    if manifest.counts.get(FAILED):
        console.print("rows that failed are tried again when you run the same command", highlight=False)
    if not kept:
        console.print("no row was kept: look at the reasons in dropped/", style="yellow")


def status_table(folder: Path, manifest: Manifest) -> Table:
    """Return rows by status, with tokens and time."""
    tokens = sum(s.completion_tokens for s in manifest.shards.values())
    caption = f"{tokens:,} tokens generated · {manifest.seconds:,.0f} s"
    return statuses(
        str(folder), manifest.stage, manifest.complete, manifest.counts, manifest.items, caption
    )


def statuses(
    folder: str, stage: str, complete: bool, counts: Mapping[str, int], items: int, caption: str
) -> Table:
    """Return a table of rows by status, with their sum."""
    state = "" if complete else " (unfinished)"
    title = f"{folder}: {stage}{state}"
    wide = min(max(len(title), len(caption)), _MOST_WIDE)  # else both would be folded under three columns
    table = Table("status", "rows", "share", title=Text(title), caption=caption, min_width=wide)
    total = sum(counts.values())
    for status, count in sorted(counts.items(), key=lambda c: (c[0] != KEPT, -c[1])):
        table.add_row(status, f"{count:,}", f"{count / total:.1%}")
    table.add_section()
    table.add_row("in all", f"{total:,}", f"of {items:,}")
    return table
