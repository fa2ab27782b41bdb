"""The rows of a run in the order in which a person should see them.

Only a few numbers of each row are in memory, as columns; its texts are read from its row group when it is
shown. R  rows of the run, kept and dropped.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import Manifest, load_manifest
from pairwright.folders.shards import shard_file
from pairwright.people.config import Order
from pairwright.people.decisions import Place
from pairwright.people.index import PARTS, Index, sizes_of
from pairwright.people.wanted import NEAR, Wanted, chosen_of, split_votes
from pairwright.records import KEPT

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
        self._beside = ThreadPoolExecutor(1)
        self._groups: OrderedDict[tuple[str, int, int], tuple[int, pa.Table]] = OrderedDict()
        self._files: OrderedDict[tuple[str, int], pq.ParquetFile] = OrderedDict()
        self._views: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        sizes = sizes_of(self.manifest)
        self.kept = sum(sizes["data"].values())
        self._shards = [(part, shard) for part in PARTS for shard in sizes[part]]
        self._ends = np.cumsum([size for part in PARTS for size in sizes[part].values()], dtype=np.int64)
        self._first = dict(zip(self._shards, (0, *self._ends.tolist()), strict=False))
        if not len(self):
            raise UsageError(f"{folder}: has no rows yet; run its command, or wait for its first shard")
        self.index = Index(folder, self.manifest, sizes)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @cached_property
    def statuses(self) -> dict[str, int]:
        """Rows by status, kept first."""
        counts = Counter({KEPT: self.kept}) if self.kept else Counter()
        for shard in self.manifest.shards.values():
            counts.update({status: n for status, n in shard.counts.items() if status != KEPT})
        return dict(sorted(counts.items(), key=lambda c: (c[0] != KEPT, -c[1], c[0])))

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

    def expect(self, place: Place) -> None:
        """Read a row's group beside what is going on, since the row is likely to be asked for next."""

        def read() -> None:
            with suppress(PairwrightError):  # which is told to whoever asks
                self.record(place)

        self._beside.submit(read)

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
            plain = wanted._replace(state="") == Wanted()
            numbers = np.arange(self.kept) if plain else np.flatnonzero(chosen_of(self, wanted))
            found = self.order(order, numbers)
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

    def order(self, order: Order, numbers: np.ndarray | None = None) -> np.ndarray:
        """Return numbers of rows, of all (R,) or of some (n,), in an order: as in the files, shuffled, or
        uncertain ones first, others shuffled.
        """
        numbers = np.arange(len(self)) if numbers is None else numbers
        if order == "file":
            return numbers
        shuffled = np.random.default_rng(self._seed).permutation(numbers)
        if order == "random":
            return shuffled
        distance = self._distances_at(shuffled)
        near = np.flatnonzero(distance < NEAR)
        first = near[np.argsort(distance[near], kind="stable")]
        return np.concatenate([shuffled[first], np.delete(shuffled, near)])

    def near(self, place: Place) -> bool:
        """Return whether a row came near to being decided otherwise."""
        return bool(self._distances_at(np.array([self.number(place)]))[0] < NEAR)

    @cached_property
    def distances(self) -> np.ndarray:
        """How near each row came to being decided otherwise (R,); infinite where nothing says so."""
        return self.index.distances

    def _distances_at(self, numbers: np.ndarray) -> np.ndarray:
        """Those of some rows (n,); what was dropped is not read for rows that were kept."""
        kept = "distances" not in self.__dict__ and len(numbers) and numbers.max() < self.kept
        found: np.ndarray = (self.index.distances_of("data") if kept else self.distances)[numbers]
        return found

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
