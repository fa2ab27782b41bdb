"""Texts that stayed, found again by later ones that are nearly the same.

Bands of their sketches are in memory, the hashes of their runs of words on disk.

    T texts of a block    B bands of each
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pairwright.pairs.runs import Places
from pairwright.sift.on_disk import OnDisk
from pairwright.sift.shingles import Hashed, Hashes
from pairwright.sift.sketches import Sketcher, jaccard
from pairwright.sift.sorted_runs import SortedRuns

Sides = tuple[bytes, bytes]
"""Hashes of a pair's chosen and rejected answer; empty ones where there is none."""


class Near(NamedTuple):
    """The text before that is nearest to one."""

    place: int
    """Its place among all texts."""
    share: float
    """Runs of words in both, as a share of those in either."""


class Neighbours:
    """Remembers texts but for those that have a share `near` of their runs of words in common with one.

    A pair is no neighbour of one that rejects what it chooses, or chooses what it rejects: both have nearly
    all their words in common, and say the opposite.
    """

    def __init__(self, near: float) -> None:
        self._least = near
        self._sketcher = Sketcher(near)
        self._bands = SortedRuns()
        self._shingles = OnDisk()
        self._sides = OnDisk()

    def __call__(self, texts: Hashed, out: Sequence[bool], sides: Sequence[Sides]) -> list[Near | None]:
        """Return of each text the nearest before it, if near enough; `out` ones are passed over."""
        sketches, bands_TB = self._sketcher(texts)
        own = self._shingles.add([one.tobytes() for one in sketches])
        self._sides.add([side for pair in sides for side in pair])
        order = np.argsort(bands_TB, axis=None)
        bands, of_text = bands_TB.ravel()[order], order // bands_TB.shape[1]
        met, shared = self._met(bands, of_text), _shared(bands, of_text)
        here: dict[int, list[int]] = defaultdict(list)  # texts of this block that stayed, by band
        found: list[Near | None] = [None] * len(sketches)
        stays = ~np.array(out, bool)
        for number in sorted(met.keys() | shared.keys()):  # most texts share a band with no other
            if out[number]:
                continue
            before = met[number].union(*(here[band] for band in shared[number]))
            alike = [n for n in sorted(before) if not self._is_turned(sides[number], n)]
            found[number] = self._nearest(sketches[number], alike) if alike else None
            if found[number] is None:
                for band in shared[number]:
                    here[band].append(own[number])
            else:
                stays[number] = False
        some = stays[of_text]
        self._bands.add(bands[some], (own.start + of_text[some]).astype(np.uint32))
        return found

    def _met(self, bands: Hashes, of_text: Places) -> dict[int, set[int]]:
        """Of each text, those before the block that share a band with it."""
        met: dict[int, set[int]] = defaultdict(set)
        for places, (others,) in self._bands.find(bands):
            for text, other in zip(of_text[places].tolist(), others.tolist(), strict=True):
                met[text].add(other)
        return met

    def _is_turned(self, sides: Sides, place: int) -> bool:
        """Whether a text rejects what `sides` choose, or chooses what they reject."""
        chosen, rejected = self._sides[2 * place], self._sides[2 * place + 1]
        return any(one and one == other for one, other in zip(sides, (rejected, chosen), strict=True))

    def _nearest(self, shingles: Hashes, places: list[int]) -> Near | None:
        """The nearest of some texts that stayed; None if none is near enough."""
        found = {*shingles.tolist()}
        others = (np.frombuffer(self._shingles[n], np.uint64).tolist() for n in places)
        shares = [jaccard(found, {*other}) for other in others]
        most = max(shares)
        return Near(places[shares.index(most)], most) if most >= self._least else None


def _shared(bands: Hashes, of_text: Places) -> dict[int, set[int]]:
    """Of each text its bands that stand in the block twice; most texts have none. Bands are in order."""
    twice = np.flatnonzero(bands[1:] == bands[:-1])
    places = np.union1d(twice, twice + 1)
    shared: dict[int, set[int]] = defaultdict(set)
    for text, band in zip(of_text[places].tolist(), bands[places].tolist(), strict=True):
        shared[text].add(band)
    return shared
