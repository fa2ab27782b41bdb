"""The rows of a run in the order in which they are worth a person's time.

Only a few numbers of each row are in memory, as columns; its texts are read from its row group when it is
shown. R  rows of the run, kept and dropped.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.errors import PairwrightError, UsageError
from pairwright.figures.rows import collect, columns_of, scan
from pairwright.folders.manifest import Manifest, load_manifest
from pairwright.folders.shards import shard_file
from pairwright.people.decisions import Place
from pairwright.people.wanted import MEASURES, NEAR, Wanted, chosen_of, split_votes
from pairwright.records import KEPT

if TYPE_CHECKING:
    import polars as pl

Order = Literal["uncertain", "random", "file"]
_GROUPS = 16
"""Row groups that are in memory together, the ones that were read last."""
_VIEWS = 32


class Rows:
    """A run's rows by their number in an index of kept and then dropped ones, in file order."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.manifest: Manifest = load_manifest(folder)
        self._seed = seed
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[str, int, int], tuple[int, pa.Table]] = OrderedDict()
        self._files: OrderedDict[tuple[str, int], pq.ParquetFile] = OrderedDict()
        self._views: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self.index = self._read_index()
        if not len(self):
            raise UsageError(f"{folder}: has no rows yet; run its command first")

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def statuses(self) -> dict[str, int]:
        """Rows by status, kept first."""
        counts = dict(self.index["status"].value_counts(sort=True).iter_rows())
        return dict(sorted(counts.items(), key=lambda c: (c[0] != KEPT, -c[1], c[0])))

    @cached_property
    def sources(self) -> list[str]:
        """The sources that rows have."""
        return sorted(self.index["source"].drop_nulls().unique().to_list())

    @cached_property
    def measured(self) -> list[str]:
        """The numbers that rows have and can be asked for."""
        return [name for name in (*MEASURES, "preference") if self.index[name].null_count() < len(self)]

    @cached_property
    def places(self) -> dict[str, np.ndarray]:
        """Where each row stands: its `part` (0 is `data`), `shard` and `row`, each (R,)."""
        return {name: self.index[name].to_numpy() for name in ("part", "shard", "row")}

    @cached_property
    def _first(self) -> dict[tuple[str, int], int]:
        """The number of each file's first row."""
        starts = np.flatnonzero(self.places["row"] == 0)
        return {(place.part, place.shard): int(n) for n in starts for place in [self.place(int(n))]}

    def place(self, number: int) -> Place:
        """Return where a row stands."""
        found = self.places
        part = "data" if found["part"][number] == 0 else "dropped"
        return Place(part, int(found["shard"][number]), int(found["row"][number]))

    def number(self, place: Place) -> int:
        """Return the row's number. Raises `UsageError` when the run has no such row."""
        number = self._first.get((place.part, place.shard), -1) + place.row
        if not 0 <= number < len(self) or place.row < 0 or self.place(number) != place:
            raise UsageError(f"{self.folder}: has no row {place}")
        return number

    def record(self, place: Place) -> dict[str, Any]:
        """Return the whole row. Raises `UsageError` when there is none, `PairwrightError` for a damaged
        file.
        """
        self.number(place)
        with self._lock:
            start, table = self._group(place)
        found: dict[str, Any] = table.slice(place.row - start, 1).to_pylist()[0]
        return found

    def status(self, place: Place) -> str:
        """Return how the row ended."""
        return str(self.index["status"][self.number(place)])

    def view(self, wanted: Wanted, order: Order, decided: Callable[[], dict[Place, str]]) -> np.ndarray:
        """Return numbers of the rows that are wanted, in order (n,).

        `decided` says what was decided so far, where `wanted.state` asks for it.
        """
        key = (wanted._replace(state=""), order)
        with self._lock:
            found = self._views.get(key)
        if found is None:
            chosen = chosen_of(self, wanted)
            found = self.order(order)
            found = found[chosen[found]]
            with self._lock:
                self._views[key] = found
                if len(self._views) > _VIEWS:
                    self._views.popitem(last=False)
        if not wanted.state:
            return found
        kinds = {self.number(place): kind for place, kind in decided().items()}
        if wanted.state == "open":
            return found[~np.isin(found, np.fromiter(kinds, np.int64, len(kinds)))]
        some = [n for n, kind in kinds.items() if kind == wanted.state]
        return found[np.isin(found, np.array(some, np.int64))]

    @cached_property
    def split(self) -> np.ndarray:
        """Of which rows judges said different things (R,)."""
        return split_votes(self)

    def order(self, order: Order) -> np.ndarray:
        """Return numbers of all rows (R,): as in the files, shuffled, or uncertain ones first, others
        shuffled.
        """
        if order == "file":
            return np.arange(len(self))
        shuffled = np.random.default_rng(self._seed).permutation(len(self))
        if order == "random":
            return shuffled
        distance = self.distances[shuffled]
        near = np.flatnonzero(distance < NEAR)
        first = near[np.argsort(distance[near], kind="stable")]
        return np.concatenate([shuffled[first], np.delete(shuffled, near)])

    @cached_property
    def distances(self) -> np.ndarray:
        """How near each row came to being decided otherwise (R,); infinite where nothing says so."""
        import polars as pl

        gate = self.manifest.gate | self.manifest.semantic
        found = [(pl.col("preference") - 0.5).abs()]
        for name, threshold in (
            *(("kept_share", "min_kept_share"), ("edit_distance", "max_edit_distance")),
            *(("length_ratio", "min_length_ratio"), ("length_ratio", "max_length_ratio")),
            ("margin", "min_margin"),
        ):
            value = gate.get(threshold)
            if isinstance(value, int | float):
                found.append((pl.col(name) - value).abs())
        nearest = pl.min_horizontal(*found).fill_null(np.inf).fill_nan(np.inf)
        values: np.ndarray = self.index.select(nearest.alias("nearest"))["nearest"].to_numpy()
        return values

    def _read_index(self) -> "pl.DataFrame":
        import polars as pl

        parts = []
        for number, part in enumerate(("data", "dropped")):
            frame = scan(self.folder, self.manifest, part)
            if frame is None:
                continue
            names = columns_of(frame, self.folder)
            if "chosen" not in names or "rejected" not in names:
                raise UsageError(
                    f"{self.folder}: holds no pairs (a run of `{self.manifest.stage}`); review and label "
                    "take runs of `revise`, `gate`, `judge`, or what was made of these"
                )
            status = pl.col("status") if part == "dropped" else pl.lit(KEPT)
            preference = (
                pl.col("verdict").struct.field("preference") if "verdict" in names else pl.lit(None)
            )
            columns = [status.alias("status"), preference.cast(pl.Float64).alias("preference")]
            for name in MEASURES:
                value = pl.col(name) if name in names else pl.lit(None)
                columns.append(value.cast(pl.Float64).alias(name))
            source = pl.col("source") if "source" in names else pl.lit(None)
            frame = frame.select(pl.col("row_id").is_null().alias("_"), *columns, source.cast(pl.String))
            parts.append(self._placed(collect(frame, self.folder).drop("_"), number, part))
        return pl.concat(parts) if parts else pl.DataFrame()

    def _placed(self, frame: "pl.DataFrame", number: int, part: str) -> "pl.DataFrame":
        """The rows of a part with the shard and row of each."""
        import polars as pl

        sizes = {
            index: shard.counts.get(KEPT, 0) + shard.further
            if part == "data"
            else sum(n for status, n in shard.counts.items() if status != KEPT)
            for index, shard in sorted(self.manifest.shards.items())
            if part in shard.sha256
        }
        if sum(sizes.values()) != len(frame):
            raise PairwrightError(
                f"{self.folder / part}: {len(frame):,} rows and not {sum(sizes.values()):,}, as run.json "
                "says; run the command that made this folder again to restore it"
            )
        rows = [np.arange(size, dtype=np.int32) for size in sizes.values()]
        return frame.with_columns(
            part=pl.lit(number, pl.Int8),
            shard=pl.Series(np.repeat(np.array(list(sizes), np.int32), list(sizes.values()))),
            row=pl.Series(np.concatenate(rows)),
        )

    def _group(self, place: Place) -> tuple[int, pa.Table]:
        """The row group that a row stands in, and the number of its first row in the file."""
        path = shard_file(self.folder, place.part, place.shard)
        try:
            file = self._files.pop((place.part, place.shard), None)
            if file is None:
                file = pq.ParquetFile(path, page_checksum_verification=True)
            self._files[place.part, place.shard] = file
            start = 0
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                if start <= place.row < start + size:
                    break
                start += size
            key = (place.part, place.shard, group)
            found = self._groups.pop(key, None) or (start, file.read_row_group(group, use_threads=False))
        except (pa.ArrowException, OSError) as error:
            raise PairwrightError(
                f"{path}: cannot be read ({str(error).splitlines()[0]}); run the command that made this "
                "folder again to restore it"
            ) from None
        self._groups[key] = found
        for kept, most in ((self._groups, _GROUPS), (self._files, _GROUPS)):
            while len(kept) > most:
                kept.popitem(last=False)
        return found
