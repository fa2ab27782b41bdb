"""Figures of a run folder's rows, read lazily: only the columns that are counted leave the disk."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from pairwright.errors import PairwrightError
from pairwright.figures.spread import BINS, Spread, spread_of
from pairwright.figures.verdicts import Verdicts, added_up, verdict_expressions, verdicts_of
from pairwright.folders.manifest import Manifest
from pairwright.folders.ownership import own_columns
from pairwright.folders.shards import shard_file
from pairwright.records import KEPT, Record

if TYPE_CHECKING:
    import polars as pl

_MOST_NAMES = 12


class Prices(Record):
    """Money for a million tokens."""

    prompt: float = 0.0
    completion: float = 0.0


class Cost(Record):
    """The cost of a run, with the tokens of every try and every judge."""

    prompt_tokens: int
    completion_tokens: int
    seconds: float
    tokens_per_kept: float | None
    """Prompt and completion tokens for each kept row; None where none was kept."""
    seconds_per_kept: float | None
    money: float | None = None
    """Tokens by the prices given; None without prices."""
    money_per_kept: float | None = None


class RunRows(Record):
    """A run folder in numbers."""

    stage: str
    complete: bool
    items: int
    """Rows of work: input rows, times samples a row."""
    by_status: dict[str, int]
    """Items by how they ended: `kept` first, then by count. They add up to the finished items."""
    kept_rows: int
    """Rows in `data`; an item may be kept as several."""
    prompts: int
    """Different prompts among the kept rows."""
    sources: dict[str, int]
    models: dict[str, dict[str, int]]
    """Kept rows by model, for each column that names one."""
    engines: dict[str, str]
    cost: Cost
    measures: dict[str, Spread]
    """Of kept rows."""
    verdicts: Verdicts | None = None
    """Of all rows that were judged, kept or not."""


def rows_of_run(folder: Path, manifest: Manifest, prices: Prices | None = None) -> RunRows:
    """Return figures of a run folder, finished or not; files are not checked against their hashes.

    Raises `PairwrightError` naming a file that is missing or damaged.
    """
    counts = manifest.counts
    kept = scan(folder, manifest, "data")
    found = _Found() if kept is None else _look(kept, folder)
    return RunRows(
        stage=manifest.stage,
        complete=manifest.complete,
        items=manifest.items,
        by_status=dict(sorted(counts.items(), key=lambda c: (c[0] != KEPT, -c[1], c[0]))),
        kept_rows=manifest.kept_rows,
        prompts=found.prompts,
        sources=found.sources,
        models=found.models,
        engines=manifest.engines,
        cost=cost_of(manifest, prices),
        measures=found.measures,
        verdicts=_verdicts(folder, manifest),
    )


def scan(folder: Path, manifest: Manifest, part: str) -> "pl.LazyFrame | None":
    """Return the rows of one part of a run's committed shards, lazily; None where there are none.

    They have the run's own columns only: what it carries along from its input is the user's, whatever
    it is called.
    """
    import polars as pl

    listed = (i for i, shard in sorted(manifest.shards.items()) if part in shard.sha256)
    paths = [shard_file(folder, part, index) for index in listed]
    for path in paths:
        if not path.is_file():
            raise PairwrightError(
                f"{path}: missing; run the command that made this folder again to restore it"
            )
    if not paths:
        return None
    with readable(folder):
        schema = pq.read_schema(paths[0])
    own = own_columns(manifest.stage, schema)
    rows = pl.scan_parquet(paths, glob=False, cache=False)
    return rows.select([name for name in schema.names if name in own])


def collect(frame: "pl.LazyFrame", folder: Path) -> "pl.DataFrame":
    """Return the frame's rows. Raises `PairwrightError` for a file that cannot be read."""
    with readable(folder):
        return frame.collect(engine="streaming")


def columns_of(frame: "pl.LazyFrame", folder: Path) -> list[str]:
    """Return the frame's columns. Raises `PairwrightError` for a file that cannot be read."""
    with readable(folder):
        return frame.collect_schema().names()


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Open a block that raises `PairwrightError` for a Parquet file that cannot be read."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise PairwrightError(
            f"{folder}: a Parquet file in it is damaged ({reason}); run the command that made this folder "
            "again to restore it"
        ) from None


def cost_of(manifest: Manifest, prices: Prices | None) -> Cost:
    """Return tokens, time and money, in all and for each kept row."""
    shards = manifest.shards.values()
    prompt, completion = (
        sum(getattr(s, name) for s in shards) for name in ("prompt_tokens", "completion_tokens")
    )
    kept = manifest.kept_rows
    money = None
    if prices is not None and (prices.prompt or prices.completion):
        money = (prompt * prices.prompt + completion * prices.completion) / 1e6
    return Cost(
        prompt_tokens=prompt,
        completion_tokens=completion,
        seconds=manifest.seconds,
        tokens_per_kept=(prompt + completion) / kept if kept else None,
        seconds_per_kept=manifest.seconds / kept if kept else None,
        money=money,
        money_per_kept=money / kept if kept and money is not None else None,
    )


class _Found(Record):
    prompts: int = 0
    sources: dict[str, int] = Field(default_factory=dict)
    models: dict[str, dict[str, int]] = Field(default_factory=dict)
    measures: dict[str, Spread] = Field(default_factory=dict)


def _look(kept: "pl.LazyFrame", folder: Path) -> _Found:
    import polars as pl

    names = columns_of(kept, folder)
    columns = {name: pl.col(name) for name in BINS if name in names}
    if "verdict" in names:
        columns["preference"] = pl.col("verdict").struct.field("preference")
    spreads = {}
    for name, column in columns.items():  # one at a time: a column of numbers always fits in memory
        number = column.cast(pl.Float64).alias(name)
        values = collect(kept.select(number.filter(number.is_finite())), folder)
        spreads[name] = spread_of(name, values[name].to_numpy())
    prompts = pl.col("prompt_id").hash().n_unique()  # half the memory that the texts themselves take
    models = {n: _counts(kept, n, folder) for n in names if n.endswith("_model") and n.count("_") == 1}
    return _Found(
        prompts=collect(kept.select(prompts), folder).item() if "prompt_id" in names else 0,
        sources=_counts(kept, "source", folder) if "source" in names else {},
        models={name: counts for name, counts in models.items() if counts},
        measures={name: spread for name, spread in spreads.items() if spread is not None},
    )


def _counts(frame: "pl.LazyFrame", column: str, folder: Path) -> dict[str, int]:
    """Rows by value, the commonest first."""
    import polars as pl

    counted = frame.select(pl.col(column).cast(pl.String)).drop_nulls().group_by(column).len()
    rows = collect(counted.sort(["len", column], descending=[True, False]).head(_MOST_NAMES), folder).rows()
    return dict(rows)


def _verdicts(folder: Path, manifest: Manifest) -> Verdicts | None:
    answers: list[Mapping[str, float | None]] = []
    for part in ("data", "dropped"):
        frame = scan(folder, manifest, part)
        if frame is not None and "verdict" in columns_of(frame, folder):
            answers.append(collect(frame.select(verdict_expressions()), folder).row(0, named=True))
    return verdicts_of(added_up(answers))
