"""MinHash and locality-sensitive hashing of many texts at once.

As in Broder 1997 and Leskovec et al., Mining of Massive Datasets, §3.3 – 3.4: of the runs of words of a
text the least hash under each of many permutations; texts that agree in a band of these are candidates.
Over columns of a batch, since texts one by one take many times as long.

    N runs of words of a batch, W words    T texts    P permutations    B bands of R permutations each
"""

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairwright.pairs.runs import Places
from pairwright.sift.shingles import Hashed, Hashes

LENGTH = 3
"""Words in a run."""
_PERMUTATIONS = 128
_BATCH = 512
"""Texts that are sketched at once: their words fit into a processor's cache."""


class Sketches(NamedTuple):
    """What is stored of texts."""

    shingles: list[Hashes]
    """Hashes of the runs of words of each; some are there more than once."""
    bands_TB: Hashes
    """A hash of each band; texts that share one may be near each other."""


class Sketcher:
    """Makes sketches by which texts with a share `near` of their runs in common are mostly found."""

    def __init__(self, near: float) -> None:
        self._bands, self._rows = bands_for(near)
        draw = np.random.default_rng(0)
        count = self._bands * self._rows
        self._odd = draw.integers(0, 2**32, count, np.uint32) | np.uint32(1)
        self._shift = draw.integers(0, 2**32, count, np.uint32)
        self._mix_R = draw.integers(0, 2**64, self._rows, np.uint64) | np.uint64(1)
        self._mix_B = draw.integers(0, 2**64, self._bands, np.uint64)

    def __call__(self, texts: Hashed) -> Sketches:
        """Return a sketch of every text."""
        shingles: list[Hashes] = []
        bands = [np.empty((0, self._bands), np.uint64)]
        for start in range(0, len(texts.words_T) - 1, _BATCH):
            ends = texts.words_T[start : start + _BATCH + 1]
            found = self._of(texts.words_W[ends[0] : ends[-1]], np.diff(ends))
            shingles += found.shingles
            bands.append(found.bands_TB)
        return Sketches(shingles, np.concatenate(bands))

    def _of(self, words_W: Hashes, sizes_T: Places) -> Sketches:
        hashes_N, borders_T = _shingles(words_W, sizes_T)
        least_PT = self._least(hashes_N.astype(np.uint32), borders_T[:-1])
        bands_BRT = least_PT.reshape(self._bands, self._rows, -1).astype(np.uint64)
        bands_BT = (bands_BRT * self._mix_R[:, None]).sum(1) + self._mix_B[:, None]
        shingles = [hashes_N[a:b] for a, b in pairwise(borders_T.tolist())]
        return Sketches(shingles, _mixed(bands_BT).T)

    def _least(self, hashes_N: NDArray[np.uint32], starts_T: Places) -> NDArray[np.uint32]:
        """The least hash of every text under each permutation."""
        least_PT = np.empty((len(self._odd), len(starts_T)), np.uint32)
        permuted_N = np.empty_like(hashes_N)
        for least_T, odd, shift in zip(least_PT, self._odd, self._shift, strict=True):
            np.multiply(hashes_N, odd, out=permuted_N)
            np.add(permuted_N, shift, out=permuted_N)
            np.minimum.reduceat(permuted_N, starts_T, out=least_T)
        return least_PT


@lru_cache
def bands_for(near: float) -> tuple[int, int]:
    """Return of how many bands of how many permutations each the errors weigh least: texts with a smaller
    share in common that meet in a band, and texts with a larger one that do not (Leskovec et al., §3.4.2).

    Those missed weigh nine times as much: what meets is measured, and dropped by mistake never.
    """
    shares = (np.arange(1000) + 0.5) / 1000
    far = shares < near

    def error(option: tuple[int, int]) -> float:
        bands, rows = option
        meet = 1 - (1 - shares**rows) ** bands
        return float(0.1 * meet[far].sum() + 0.9 * (1 - meet[~far]).sum())

    options = ((b, r) for b in range(1, _PERMUTATIONS + 1) for r in range(1, _PERMUTATIONS // b + 1))
    return min(options, key=error)


def jaccard(one: set[int], other: set[int]) -> float:
    """Return runs of words in both texts, as a share of those in either."""
    both = len(one & other)
    return both / (len(one) + len(other) - both)


def _shingles(words_W: Hashes, sizes_T: Places) -> tuple[Hashes, Places]:
    """The hashes of the runs of words of texts, and the first of each, as many as it has words.

    A text of fewer words than a run has is one run. Where a run would go on into the next text, the last
    one of its own text stands once more.
    """
    padded_T = np.maximum(sizes_T, LENGTH)
    borders_T = np.append(0, np.cumsum(padded_T))
    words = np.insert(words_W, np.repeat(np.cumsum(sizes_T), padded_T - sizes_T), 0)
    hashes_N = np.zeros(len(words), np.uint64)
    inner = hashes_N[: len(words) - LENGTH + 1]
    for place in range(LENGTH):
        inner[:] = _mixed(inner + words[place : place + len(inner)])
    for place in range(1, LENGTH):
        hashes_N[borders_T[1:] - place] = hashes_N[borders_T[1:] - LENGTH]
    return hashes_N, borders_T


def _mixed(values: Hashes) -> Hashes:
    """Every value with its bits mixed: the end of SplitMix64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
