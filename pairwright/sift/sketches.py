"""MinHash and locality-sensitive hashing of many texts at once.

As in Broder 1997 and Leskovec et al., Mining of Massive Datasets, §3.3 – 3.4: of the runs of words of a
text the least hash under each of many permutations; texts that agree in a band of these are candidates.
In columns over a batch this takes a sixth of the time of datasketch's, which takes texts one by one.

    N runs of words of a batch    T texts    P permutations    B bands of R permutations each
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairwright.pairs.minimality import WORD

Hashes = NDArray[np.uint64]
LENGTH = 3
"""Words in a run."""
_PERMUTATIONS = 128
_ROW_BITS = 16
"""Bits of a number of a batch that say which text it is of; the rest is a hash."""
_HASH = np.uint64((1 << (64 - _ROW_BITS)) - 1)
_BATCH = 512
"""Texts that are sketched at once: their words fit into a processor's cache."""


class Sketch(NamedTuple):
    """What is stored of a text."""

    shingles: Hashes
    """Hashes of its runs of words, sorted and each once."""
    bands: list[int]
    """A hash of each band; texts that share one may be near each other."""


class Sketcher:
    """Makes sketches by which texts with a share `near` of their runs in common are mostly found."""

    def __init__(self, near: float) -> None:
        from datasketch import MinHashLSH

        # Recall matters more than speed: what is found is measured anyway.
        best = MinHashLSH(near, _PERMUTATIONS, weights=(0.1, 0.9))
        self._bands, self._rows = best.b, best.r
        draw = np.random.default_rng(0)
        count = self._bands * self._rows
        self._odd = draw.integers(0, 2**32, count, np.uint32) | np.uint32(1)
        self._shift = draw.integers(0, 2**32, count, np.uint32)
        self._mix_R = draw.integers(0, 2**64, self._rows, np.uint64) | np.uint64(1)
        self._mix_B = draw.integers(0, 2**64, self._bands, np.uint64)

    def __call__(self, texts: Sequence[str]) -> list[Sketch]:
        """Return a sketch of every folded text."""
        found: list[Sketch] = []
        for start in range(0, len(texts), _BATCH):
            found += self._of(texts[start : start + _BATCH])
        return found

    def _of(self, texts: Sequence[str]) -> list[Sketch]:
        rows_N, hashes_N = _shingles(list(map(_words, texts)))
        starts_T = np.searchsorted(rows_N, np.arange(len(texts)))
        least_PT = self._least(hashes_N.astype(np.uint32), starts_T)
        bands_BRT = least_PT.reshape(self._bands, self._rows, -1).astype(np.uint64)
        bands_BT = (bands_BRT * self._mix_R[:, None]).sum(1) + self._mix_B[:, None]
        parts = np.split(hashes_N, starts_T[1:])
        return [Sketch(part, bands) for part, bands in zip(parts, _mixed(bands_BT).T.tolist(), strict=True)]

    def _least(self, hashes_N: NDArray[np.uint32], starts_T: NDArray[np.intp]) -> NDArray[np.uint32]:
        """The least hash of every text under each permutation."""
        least_PT = np.empty((len(self._odd), len(starts_T)), np.uint32)
        for place, (odd, shift) in enumerate(zip(self._odd, self._shift, strict=True)):
            least_PT[place] = np.minimum.reduceat(hashes_N * odd + shift, starts_T)
        return least_PT


def jaccard(a: Hashes, b: Hashes) -> float:
    """Return runs of words in both texts, as a share of those in either."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    either = len(a) + len(b) - common
    return common / either if either else 1.0


def _shingles(texts: list[Hashes]) -> tuple[NDArray[np.uint64], Hashes]:
    """The runs of words of each text, sorted and each once: of which text, and the hash of the run.

    A text of fewer words than a run has is one run.
    """
    padding = [np.zeros(max(LENGTH - len(words), 0), np.uint64) for words in texts]
    sizes = [max(len(words), LENGTH) for words in texts]
    words = np.concatenate([part for pair in zip(texts, padding, strict=True) for part in pair])
    count = len(words) - LENGTH + 1
    run = np.zeros(count, np.uint64)
    for place in range(LENGTH):
        run = _mixed(run + words[place : place + count])
    rows = np.repeat(np.arange(len(texts), dtype=np.uint64), sizes)
    within = rows[:count] == rows[LENGTH - 1 :]
    found = np.unique(rows[:count][within] << np.uint64(64 - _ROW_BITS) | run[within] & _HASH)
    return found >> np.uint64(64 - _ROW_BITS), found & _HASH


def _mixed(values: Hashes) -> Hashes:
    """Every value with its bits mixed: the end of SplitMix64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _words(text: str) -> Hashes:
    """Hashes of a folded text's words, in order; marks do not count."""
    return np.fromiter(chain.from_iterable(map(_words_of, text.split(" "))), np.uint64)


@lru_cache(maxsize=2**18)
def _words_of(run: str) -> tuple[int, ...]:
    """Hashes of the words in a run of letters, which has mostly been met before."""
    words = (word.encode("utf-8", "surrogatepass") for word in WORD.findall(run) if word[0].isalnum())
    return tuple(int.from_bytes(hashlib.blake2b(word, digest_size=8).digest()) for word in words)
