"""Texts as words and as runs of words, by which they are found to be the same or nearly so.

Of many at once, what stands between white space is hashed once, however often it comes.

    D different runs of characters between white space, R of all    W words    T texts
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairwright.pairs.runs import Places, Runs, cut
from pairwright.pairs.tokens import WORD

Hashes = NDArray[np.uint64]


class Hashed(NamedTuple):
    """What many texts say, without regard to case and white space, in hashes."""

    runs_R: Hashes
    """Of what stands between white space, in order."""
    runs_T: Places
    """The first of these of each text, and after the last text the number of all."""
    words_W: Hashes
    """Of the words; marks do not count."""
    words_T: Places
    """The first of these of each text, and after the last text the number of all."""


def words_of(text: str) -> list[str]:
    """Return the words of a text without regard to case; marks do not count."""
    return [word for word in WORD.findall(text.casefold()) if word[0].isalnum()]


def folded(text: str) -> str:
    """Return a text without regard to case and white space."""
    return " ".join(text.casefold().split())


def hashed(texts: Sequence[str]) -> Hashed:
    """Return the hashes of many texts."""
    found = cut(tuple(texts))
    known_D = list(map(_HASHES.__getitem__, found.runs_D))
    hashes = np.fromiter(chain.from_iterable(known_D), np.uint64)
    sizes_D = np.fromiter(map(len, known_D), np.int64, len(known_D))
    starts_R = (np.cumsum(sizes_D) - sizes_D)[found.which_R]
    sizes_R = sizes_D[found.which_R] - 1
    lasts_R = np.cumsum(sizes_R)
    words_W = hashes[np.arange(sizes_R.sum()) + np.repeat(starts_R + 1 - lasts_R + sizes_R, sizes_R)]
    return Hashed(hashes[starts_R], found.borders_T, words_W, np.append(0, lasts_R)[found.borders_T])


def keys_of(texts: Hashed) -> Iterator[bytes]:
    """Yield a hash of each text, in 16 bytes: of what stands between its white space, in order."""
    hashes = memoryview(texts.runs_R.tobytes())
    borders = (8 * texts.runs_T).tolist()
    return (hashlib.sha256(hashes[start:end]).digest()[:16] for start, end in pairwise(borders))


def runs(words: list[str], length: int) -> Iterator[str]:
    """Yield every `length` words in a row; a shorter text is one run."""
    for start in range(max(len(words) - length, 0) + 1):
        yield " ".join(words[start : start + length])


def _hashes_of(run: str) -> tuple[int, ...]:
    """Hashes of what stands between two white spaces, and of the words in it."""
    whole = _hash(run.casefold())
    if run.isascii() and run.isalnum():  # it is a word, as most are
        return (whole, whole)
    return (whole, *map(_hash, words_of(run)))


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest)


_HASHES = Runs(_hashes_of)
