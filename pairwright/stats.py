"""`pairwright stats`: what a run folder holds."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pairwright.config import POSITIONAL, Config
from pairwright.manifest import Manifest, load_manifest
from pairwright.records import FAILED, KEPT
from pairwright.schema import MEASURES
from pairwright.store import read_tables


class StatsConfig(Config):
    """Show what a run folder holds: rows by status, and the measures of its pairs.

    Example: pairwright stats runs/pairs
    """

    run: Path = Field(json_schema_extra=POSITIONAL)
    """Run folder."""


def stats(config: StatsConfig) -> None:
    """Print rows by status, tokens, and medians of the measures of kept rows."""
    manifest = load_manifest(config.run)
    console = Console()
    console.print(status_table(config.run, manifest))
    measured = list(_medians(config.run))
    if measured:
        table = Table("measure of kept pairs", "median", "p10", "p90")
        for name, values in measured:
            table.add_row(name, *(f"{v:,.3g}" for v in values))
        console.print(table)


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
    """Rows by status, with tokens and time."""
    shards = manifest.shards.values()
    tokens = sum(s.completion_tokens for s in shards)
    state = "" if manifest.complete else " (unfinished)"
    table = Table(
        "status",
        "rows",
        "share",
        title=Text(f"{folder}: {manifest.stage}{state}"),
        caption=f"{tokens:,} tokens generated · {manifest.seconds:,.0f} s",
    )
    total = sum(manifest.counts.values())
    for status, count in sorted(manifest.counts.items(), key=lambda c: (c[0] != KEPT, -c[1])):
        table.add_row(status, f"{count:,}", f"{count / total:.1%}")
    table.add_section()
    table.add_row("in all", f"{total:,}", f"of {manifest.items:,}")
    return table


def _medians(folder: Path) -> Iterator[tuple[str, list[float]]]:
    names = [name for name, kind in MEASURES if not pa.types.is_nested(kind)]
    tables = [t.select([n for n in names if n in t.schema.names]) for t in read_tables(folder)]
    if not tables or not tables[0].num_columns:
        return
    table = pa.concat_tables(t.replace_schema_metadata() for t in tables)
    for name in table.column_names:
        if table.num_rows > table[name].null_count:
            yield name, pc.quantile(table[name], q=[0.5, 0.1, 0.9]).to_pylist()
