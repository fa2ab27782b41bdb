"""Texts that stayed, found again by later ones that are nearly the same.

Bands of their sketches are in memory, the hashes of their runs of words on disk.

    T texts of a block    B bands of each
"""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pairwright.pairs.runs import Cut
from pairwright.sift.on_disk import OnDisk
from pairwright.sift.sketches import Hashes, Sketcher, jaccard
from pairwright.sift.sorted_runs import SortedRuns


class Near(NamedTuple):
    """The text before that is nearest to one."""

    place: int
    """Its place among all texts."""
    share: float
    """Runs of words in both, as a share of those in either."""


class Neighbours:
    """Remembers texts but for those that have a share `near` of their runs of words in common with one."""

    def __init__(self, near: float) -> None:
        self._least = near
        self._sketcher = Sketcher(near)
        self._bands = SortedRuns()
        self._shingles = OnDisk()
        self._places = array("q")
        """Of each text that stayed, its place among all."""

    def __call__(self, texts: Cut, places: Sequence[int], out: Sequence[bool]) -> list[Near | None]:
        """Return of each text the nearest before it, if near enough; `out` ones are passed over."""
        sketches, bands_TB = self._sketcher(texts)
        met, shared = self._met(bands_TB), _shared(bands_TB)
        first = len(self._places)
        stayed: list[int] = []  # of this block, whose bands are not among the others yet
        shingles: list[Hashes] = []
        here: dict[int, list[int]] = defaultdict(list)
        found: list[Near | None] = []
        for number, sketch in enumerate(sketches):
            if out[number]:
                found.append(None)
                continue
            bands = shared.get(number, ())
            before = met.get(number, set()).union(*(here[band] for band in bands))
            near = self._nearest(sketch, sorted(before), shingles) if before else None
            found.append(near)
            if near is None:
                for band in bands:
                    here[band].append(first + len(stayed))
                stayed.append(number)
                shingles.append(sketch)
                self._places.append(places[number])
        self._shingles.add([one.tobytes() for one in shingles])
        numbers = np.arange(first, len(self._places), dtype=np.uint32)
        self._bands.add(bands_TB[stayed].ravel(), np.repeat(numbers, bands_TB.shape[1]))
        return found

    def _met(self, bands_TB: Hashes) -> dict[int, set[int]]:
        """Of each text, those before the block that share a band with it."""
        met: dict[int, set[int]] = defaultdict(set)
        for places, (others,) in self._bands.find(bands_TB.ravel()):
            rows = (places // bands_TB.shape[1]).tolist()
            for row, other in zip(rows, others.tolist(), strict=True):
                met[row].add(other)
        return met

    def _nearest(self, shingles: Hashes, numbers: list[int], here: list[Hashes]) -> Near | None:
        """The nearest of some texts that stayed, the last of them `here`; None if none is near enough."""
        first = len(self._places) - len(here)
        shares = [
            jaccard(
                shingles, here[n - first] if n >= first else np.frombuffer(self._shingles[n], np.uint64)
            )
            for n in numbers
        ]
        most = max(shares)
        if most < self._least:
            return None
        return Near(self._places[numbers[shares.index(most)]], most)


def _shared(bands_TB: Hashes) -> dict[int, set[int]]:
    """Of each text its bands that stand in the block twice; most texts have none."""
    bands = bands_TB.ravel()
    order = np.argsort(bands, kind="stable")
    twice = np.flatnonzero(bands[order[1:]] == bands[order[:-1]])
    shared: dict[int, set[int]] = defaultdict(set)
    for place in order[np.union1d(twice, twice + 1)].tolist():
        shared[place // bands_TB.shape[1]].add(int(bands[place]))
    return shared
