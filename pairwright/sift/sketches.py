"""MinHash and locality-sensitive hashing of many texts at once.

As in Broder 1997 and Leskovec et al., Mining of Massive Datasets, §3.3 – 3.4: of the runs of words of a
text the least hash under each of many permutations; texts that agree in a band of these are candidates.
Over columns of a batch, since texts one by one take many times as long.

    N runs of words of a batch    T texts    P permutations    B bands of R permutations each
    D different runs of characters between white space, R of all    W words
"""

import hashlib
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairwright.pairs.runs import Cut, Places, Runs
from pairwright.pairs.tokens import WORD

Hashes = NDArray[np.uint64]
LENGTH = 3
"""Words in a run."""
_PERMUTATIONS = 128
_ROW_BITS = 16
"""Bits of a number of a batch that say which text it is of; the rest is a hash."""
_HASH = np.uint64((1 << (64 - _ROW_BITS)) - 1)
_BATCH = 512
"""Texts that are sketched at once: their words fit into a processor's cache."""


class Sketches(NamedTuple):
    """What is stored of texts."""

    shingles: list[Hashes]
    """Hashes of the runs of words of each, sorted and each once."""
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

    def __call__(self, texts: Cut) -> Sketches:
        """Return a sketch of every text."""
        words_W, borders_T = _words(texts)
        shingles: list[Hashes] = []
        bands = [np.empty((0, self._bands), np.uint64)]
        for start in range(0, len(borders_T) - 1, _BATCH):
            ends = borders_T[start : start + _BATCH + 1]
            found = self._of(words_W[ends[0] : ends[-1]], np.diff(ends))
            shingles += found.shingles
            bands.append(found.bands_TB)
        return Sketches(shingles, np.concatenate(bands))

    def _of(self, words_W: Hashes, sizes_T: Places) -> Sketches:
        rows_N, hashes_N = _shingles(words_W, sizes_T)
        starts_T = np.searchsorted(rows_N, np.arange(len(sizes_T)))
        least_PT = self._least(hashes_N.astype(np.uint32), starts_T)
        bands_BRT = least_PT.reshape(self._bands, self._rows, -1).astype(np.uint64)
        bands_BT = (bands_BRT * self._mix_R[:, None]).sum(1) + self._mix_B[:, None]
        borders = [*starts_T.tolist(), len(hashes_N)]
        return Sketches([hashes_N[a:b] for a, b in pairwise(borders)], _mixed(bands_BT).T)

    def _least(self, hashes_N: NDArray[np.uint32], starts_T: NDArray[np.intp]) -> NDArray[np.uint32]:
        """The least hash of every text under each permutation."""
        least_PT = np.empty((len(self._odd), len(starts_T)), np.uint32)
        for place, (odd, shift) in enumerate(zip(self._odd, self._shift, strict=True)):
            least_PT[place] = np.minimum.reduceat(hashes_N * odd + shift, starts_T)
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


def jaccard(a: Hashes, b: Hashes) -> float:
    """Return runs of words in both texts, as a share of those in either."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    either = len(a) + len(b) - common
    return common / either if either else 1.0


def _shingles(words_W: Hashes, sizes_T: Places) -> tuple[NDArray[np.uint64], Hashes]:
    """The runs of words of each text, sorted and each once: of which text, and the hash of the run.

    A text of fewer words than a run has is one run.
    """
    padded_T = np.maximum(sizes_T, LENGTH)
    words = np.zeros(padded_T.sum(), np.uint64)
    words[_places(np.cumsum(padded_T) - padded_T, sizes_T)] = words_W
    count = len(words) - LENGTH + 1
    run = np.zeros(count, np.uint64)
    for place in range(LENGTH):
        run = _mixed(run + words[place : place + count])
    rows = np.repeat(np.arange(len(sizes_T), dtype=np.uint64), padded_T)
    within = rows[:count] == rows[LENGTH - 1 :]
    found = np.sort(rows[:count][within] << np.uint64(64 - _ROW_BITS) | run[within] & _HASH)
    found = found[np.r_[True, found[1:] != found[:-1]]]
    return found >> np.uint64(64 - _ROW_BITS), found & _HASH


def _words(texts: Cut) -> tuple[Hashes, Places]:
    """Hashes of all words of the texts in order, and where those of each begin; marks do not count."""
    known_D = list(map(_WORDS.__getitem__, texts.runs_D))
    sizes_D = np.fromiter(map(len, known_D), np.int64, len(known_D))
    hashes = np.fromiter(chain.from_iterable(known_D), np.uint64)
    sizes_R = sizes_D[texts.which_R]
    words_W = hashes[_places((np.cumsum(sizes_D) - sizes_D)[texts.which_R], sizes_R)]
    return words_W, np.append(0, np.cumsum(sizes_R))[texts.borders_T]


def _places(starts: Places, sizes: Places) -> Places:
    """The places from each start on, as many as its size, one after the other."""
    ends = np.cumsum(sizes)
    return np.repeat(starts - ends + sizes, sizes) + np.arange(ends[-1] if len(ends) else 0)


def _mixed(values: Hashes) -> Hashes:
    """Every value with its bits mixed: the end of SplitMix64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _words_of(run: str) -> tuple[int, ...]:
    """Hashes of the words between two white spaces."""
    words = (word.encode("utf-8", "surrogatepass") for word in WORD.findall(run) if word[0].isalnum())
    return tuple(int.from_bytes(hashlib.blake2b(word, digest_size=8).digest()) for word in words)


_WORDS = Runs(_words_of)
