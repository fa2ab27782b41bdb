"""The rows of a run in the order in which a person should see them.

Only a few numbers of each row are in memory, as columns; its texts are read from its row group when it is
shown. R  rows of the run, kept and dropped.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.errors import PairwrightError, UsageError
from pairwright.figures.rows import collect, columns_of, readable, scan
from pairwright.folders.manifest import Manifest, load_manifest
from pairwright.folders.shards import shard_file
from pairwright.people.config import Order
from pairwright.people.decisions import Place
from pairwright.people.wanted import MEASURES, NEAR, Wanted, chosen_of, split_votes
from pairwright.records import KEPT, UNPARSED

if TYPE_CHECKING:
    import polars as pl

_PARTS = ("data", "dropped")
_GROUPS = 16
"""Row groups that are in memory together, the ones that were read last."""
_VIEWS = 32


class Rows:
    """A run's rows by their number: kept and then dropped ones, in file order.

    Where they stand is known from `run.json`; their measures are read when somebody asks for them.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.manifest = _as_far_as_it_is_written(folder, load_manifest(folder))
        self._seed = seed
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[str, int, int], tuple[int, pa.Table]] = OrderedDict()
        self._files: OrderedDict[tuple[str, int], pq.ParquetFile] = OrderedDict()
        self._views: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        sizes = {part: _sizes(self.manifest, part) for part in _PARTS}
        self.kept = sum(sizes["data"].values())
        self._shards = [(part, shard) for part in _PARTS for shard in sizes[part]]
        self._ends = np.cumsum([size for part in _PARTS for size in sizes[part].values()], dtype=np.int64)
        self._first = dict(zip(self._shards, (0, *self._ends.tolist()), strict=False))
        if not len(self):
            raise UsageError(f"{folder}: has no rows yet; run its command, or wait for its first shard")
        self._names = self._require_pairs()

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @cached_property
    def index(self) -> "pl.DataFrame":
        """The `status`, `source` and measures of each row (R,).

        Raises `PairwrightError` for a damaged file.
        """
        import polars as pl

        return pl.concat(self._read(part) for part in self._names)

    @cached_property
    def statuses(self) -> dict[str, int]:
        """Rows by status, kept first."""
        counts = Counter({KEPT: self.kept}) if self.kept else Counter()
        for shard in self.manifest.shards.values():
            counts.update({status: n for status, n in shard.counts.items() if status != KEPT})
        return dict(sorted(counts.items(), key=lambda c: (c[0] != KEPT, -c[1], c[0])))

    @cached_property
    def sources(self) -> list[str]:
        """The sources that rows have."""
        return sorted(self.index["source"].drop_nulls().unique().to_list())

    @cached_property
    def measured(self) -> list[str]:
        """The numbers that rows have and can be asked for."""
        found = [name for name in MEASURES if self.index[name].null_count() < len(self)]
        return [*found, "preference"] if self._judged else found

    @cached_property
    def preferences(self) -> np.ndarray:
        """The judges' preference of each row (R,), NaN without one.

        It stands in `verdict` beside the judges' replies, which are not read.
        """
        return np.concatenate([self._preferences_of(*file) for file in self._shards])

    def place(self, number: int) -> Place:
        """Return where a row stands."""
        part, shard = self._shards[int(np.searchsorted(self._ends, number, side="right"))]
        return Place(part, shard, number - self._first[part, shard])

    def number(self, place: Place) -> int:
        """Return the row's number. Raises `UsageError` when the run has no such row."""
        number: int = self._first.get((place.part, place.shard), -1) + place.row
        if not 0 <= number < len(self) or place.row < 0 or self.place(number) != place:
            raise UsageError(f"{self.folder}: has no row {place}")
        return number

    def record(self, place: Place) -> dict[str, Any]:
        """Return the whole row.

        Raises `UsageError` when there is none, `PairwrightError` for a damaged file.
        """
        self.number(place)
        with self._lock:
            start, table = self._group(place)
        found: dict[str, Any] = table.slice(place.row - start, 1).to_pylist()[0]
        return found

    def status(self, place: Place) -> str:
        """Return how the row ended."""
        return KEPT if place.part == "data" else str(self.record(place)["status"])

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
        """The rows on which judges disagree (R,)."""
        return split_votes(self)

    def order(self, order: Order) -> np.ndarray:
        """Return numbers of all rows (R,): as in the files, shuffled, or with uncertain ones first.

        With uncertain ones first, the others are shuffled.
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
        """The distance of each row from the other verdict (R,); infinite without a verdict."""
        import polars as pl

        gate = self.manifest.gate | self.manifest.semantic
        found = []
        for name, threshold in (
            *(("kept_share", "min_kept_share"), ("edit_distance", "max_edit_distance")),
            *(("length_ratio", "min_length_ratio"), ("length_ratio", "max_length_ratio")),
            ("margin", "min_margin"),
        ):
            value = gate.get(threshold)
            if isinstance(value, int | float):
                found.append((pl.col(name) - value).abs())
        if self._judged and "margin" in self._judged:  # which is |2 p - 1|, and 0 where nothing was said
            found.append(pl.when(pl.col("status") != UNPARSED).then(pl.col("margin").abs() / 2))
        elif self._judged:
            found.append((pl.lit(pl.Series(self.preferences)) - 0.5).abs())
        nearest = pl.min_horizontal(*found, pl.lit(np.inf)).fill_nan(np.inf)
        values: np.ndarray = self.index.select(nearest.alias("nearest"))["nearest"].to_numpy()
        return values

    @cached_property
    def _judged(self) -> list[str]:
        """Columns of a run with verdicts; none of any other run."""
        return next((names for names in self._names.values() if "verdict" in names), [])

    def _require_pairs(self) -> dict[str, list[str]]:
        """Return the columns of each part that has rows. Raises `UsageError` where rows are no pairs."""
        found = {}
        for part in _PARTS:
            if (frame := scan(self.folder, self.manifest, part)) is None:
                continue
            found[part] = columns_of(frame, self.folder)
            if not {"chosen", "rejected"} <= set(found[part]):
                raise UsageError(
                    f"{self.folder}: holds no pairs (a run of `{self.manifest.stage}`); review and label "
                    "take runs of `revise`, `gate`, `judge`, or what was made of these"
                )
        return found

    def _read(self, part: str) -> "pl.DataFrame":
        """The index of a part. Raises `PairwrightError` where it has other rows than `run.json` says."""
        import polars as pl

        columns = {"source": pl.String, **dict.fromkeys(MEASURES, pl.Float64)}
        there = [name for name in columns if name in self._names[part]]
        status = ["status"] if part == "dropped" else []
        frame = scan(self.folder, self.manifest, part)
        assert frame is not None
        found = collect(frame.select("row_id" if not there else pl.col(there), *status), self.folder)
        size = self.kept if part == "data" else len(self) - self.kept
        if len(found) != size:
            raise PairwrightError(
                f"{self.folder / part}: {len(found):,} rows and not {size:,}, as run.json says; run the "
                "command that made this folder again to restore it"
            )
        return found.select(
            *(pl.col("status") if status else pl.lit(KEPT).alias("status"),),
            *(
                (pl.col(name) if name in there else pl.lit(None)).cast(kind).alias(name)
                for name, kind in columns.items()
            ),
        )

    def _preferences_of(self, part: str, shard: int) -> np.ndarray:
        with readable(self.folder):
            file = pq.ParquetFile(shard_file(self.folder, part, shard))
            if "verdict" not in self._names[part]:
                return np.full(file.metadata.num_rows, np.nan)
            table = file.read(columns=["verdict.preference"], use_threads=False)
        values: np.ndarray = table.flatten()["verdict.preference"].cast(pa.float64()).to_numpy()
        return values

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


def _as_far_as_it_is_written(folder: Path, found: Manifest) -> Manifest:
    """The manifest of a run; of one that is being written without a shard whose files are yet to come."""
    if found.complete:
        return found
    there = {
        index: shard
        for index, shard in found.shards.items()
        if all(shard_file(folder, part, index).is_file() for part in shard.sha256)
    }
    return found.model_copy(update={"shards": there})


def _sizes(manifest: Manifest, part: str) -> dict[int, int]:
    """Rows of a part's files, by shard."""
    return {
        index: shard.counts.get(KEPT, 0) + shard.further
        if part == "data"
        else sum(n for status, n in shard.counts.items() if status != KEPT)
        for index, shard in sorted(manifest.shards.items())
        if part in shard.sha256
    }
