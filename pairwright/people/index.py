"""What rows of a run are ordered and filtered by: their endings, sources and numbers, none of their texts.

Each part of the run is read once, when it is asked for. R  rows of the run, kept and then dropped; P  rows
of one part.
"""

import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.errors import PairwrightError, UsageError
from pairwright.figures.rows import collect, columns_of, readable, scan
from pairwright.folders.manifest import Manifest
from pairwright.folders.shards import shard_file
from pairwright.inputs.columns import PAIR
from pairwright.people.wanted import MEASURES
from pairwright.records import KEPT, UNPARSED

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")
PARTS = ("data", "dropped")
Sizes = dict[str, dict[int, int]]
"""Rows of each file, by part and shard."""


def sizes_of(manifest: Manifest) -> Sizes:
    """Return how many rows each file of a run has."""
    found: Sizes = {part: {} for part in PARTS}
    for number, shard in sorted(manifest.shards.items()):
        kept = shard.counts.get(KEPT, 0)
        counts = {"data": kept + shard.further, "dropped": sum(shard.counts.values()) - kept}
        for part in shard.sha256:
            found[part][number] = counts[part]
    return found


class Index:
    """Columns of a run's rows, for several threads: `status`, `source` and the measures."""

    def __init__(self, folder: Path, manifest: Manifest, sizes: Sizes) -> None:
        """Raises `UsageError` where rows are no pairs."""
        self._folder, self._manifest, self._sizes = folder, manifest, sizes
        self._lock = threading.RLock()
        self._kept: dict[str, pl.DataFrame] = {}
        self._near: dict[str, np.ndarray] = {}
        self._columns = {part: self._columns_of(part) for part in PARTS if sizes[part]}

    def __getitem__(self, name: str) -> "pl.Series":
        import polars as pl

        return pl.concat([self.part(part)[name] for part in self._columns])

    @property
    def sources(self) -> list[str]:
        """The sources that rows have."""
        return sorted(self["source"].drop_nulls().unique().to_list())

    @property
    def measured(self) -> list[str]:
        """The numbers that rows have and can be asked for."""
        found = [name for name in MEASURES if self[name].null_count() < len(self[name])]
        judged = any("verdict" in names for names in self._columns.values())
        return [*found, "preference"] if judged else found

    @cached_property
    def preferences(self) -> np.ndarray:
        """The judges' preference of each row (R,), NaN without one."""
        return np.concatenate([self._preferences(part) for part in self._columns])

    @property
    def distances(self) -> np.ndarray:
        """How near each row came to being decided otherwise (R,); infinite where nothing says so."""
        return np.concatenate([self.distances_of(part) for part in self._columns])

    @property
    def paired(self) -> np.ndarray:
        """Which kept rows have both answers (P,)."""
        chosen, rejected = map(self._there, PAIR)
        both: np.ndarray = chosen & rejected
        return both

    def part(self, part: str) -> "pl.DataFrame":
        """Return the columns of a part's rows (P). Raises `PairwrightError` for a damaged file."""
        return _once(self._read, self._kept, part, self._lock)

    def distances_of(self, part: str) -> np.ndarray:
        """Return the distances of a part's rows (P,)."""
        return _once(self._nearest, self._near, part, self._lock)

    def _columns_of(self, part: str) -> list[str]:
        frame = scan(self._folder, self._manifest, part)
        names = [] if frame is None else columns_of(frame, self._folder)
        if not {"chosen", "rejected"} <= set(names):
            raise UsageError(
                f"{self._folder}: holds no pairs (a run of `{self._manifest.stage}`); review and label "
                "take runs of `revise`, `gate`, `judge`, or what was made of these"
            )
        return names

    def _read(self, part: str) -> "pl.DataFrame":
        """The columns of a part. Raises `PairwrightError` where it has other rows than `run.json` says."""
        import polars as pl

        columns = {"source": pl.String, **dict.fromkeys(MEASURES, pl.Float64)}
        there = [name for name in columns if name in self._columns[part]]
        status = ["status"] if part == "dropped" else []
        frame = scan(self._folder, self._manifest, part)
        assert frame is not None
        found = collect(frame.select(*(there or ["row_id"]), *status), self._folder)
        size = sum(self._sizes[part].values())
        if len(found) != size:
            raise PairwrightError(
                f"{self._folder / part}: {len(found):,} rows and not {size:,}, as run.json says; run the "
                "command that made this folder again to restore it"
            )
        values = {name: pl.col(name) if name in there else pl.lit(None) for name in columns}
        ending = pl.col("status") if status else pl.lit(KEPT).alias("status")
        typed = (value.cast(columns[name]).alias(name) for name, value in values.items())
        # `select` alone makes one row where all that it selects are literals.
        return found.with_columns(ending, *typed).select("status", *columns)

    def _nearest(self, part: str) -> np.ndarray:
        """How near the rows of a part came to a threshold, or to being preferred otherwise."""
        import polars as pl

        gate = self._manifest.gate | self._manifest.semantic
        found = [pl.lit(np.inf)]
        for name, threshold in (
            *(("kept_share", "min_kept_share"), ("edit_distance", "max_edit_distance")),
            *(("length_ratio", "min_length_ratio"), ("length_ratio", "max_length_ratio")),
            ("margin", "min_margin"),
        ):
            value = gate.get(threshold)
            if isinstance(value, int | float):
                found.append((pl.col(name) - value).abs())
        if {"verdict", "margin"} <= set(
            self._columns[part]
        ):  # it is |2 p - 1|, or 0 where nothing was said
            found.append(pl.when(pl.col("status") != UNPARSED).then(pl.col("margin").abs() / 2))
        elif "verdict" in self._columns[part]:
            found.append((pl.lit(pl.Series(self._preferences(part))) - 0.5).abs())
        nearest = pl.min_horizontal(*found).fill_nan(np.inf).alias("nearest")
        values: np.ndarray = self.part(part).with_columns(nearest)["nearest"].to_numpy()
        return values

    def _preferences(self, part: str) -> np.ndarray:
        """What judges say of a part's rows (P,). It stands beside their replies, which are not read."""
        if "verdict" not in self._columns[part]:
            return np.full(sum(self._sizes[part].values()), np.nan)
        tables = (table.flatten() for table in self._leaves(part, "verdict.preference"))
        return np.concatenate([t["verdict.preference"].cast(pa.float64()).to_numpy() for t in tables])

    def _there(self, side: str) -> np.ndarray:
        """Which kept rows have an answer on a side (P,); of it only the role is read."""
        tables = self._leaves("data", f"{side}.list.element.role")
        return np.concatenate([table[side].is_valid().to_numpy() for table in tables])

    def _leaves(self, part: str, path: str) -> Iterator[pa.Table]:
        """One column inside a nested one, file by file."""
        for shard in self._sizes[part]:
            with readable(self._folder):
                file = pq.ParquetFile(shard_file(self._folder, part, shard))
                yield file.read(columns=[path], use_threads=False)


def _once(find: Callable[[str], T], found: dict[str, T], part: str, lock: threading.RLock) -> T:
    """What is found of a part, by whichever thread asks first; who asks for another does not wait."""
    if part not in found:
        with lock:
            if part not in found:
                found[part] = find(part)
    return found[part]
