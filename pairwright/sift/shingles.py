"""Texts as words and as runs of words, by which they are found to be the same or nearly so."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pairwright.pairs.minimality import WORD

if TYPE_CHECKING:
    import numpy as np


def words_of(text: str) -> list[str]:
    """Return the words of a text without regard to case; marks do not count."""
    return [word for word in WORD.findall(text.casefold()) if word[0].isalnum()]


def folded(text: str) -> str:
    """Return a text without regard to case and white space."""
    return " ".join(text.casefold().split())


def runs(words: list[str], length: int) -> Iterator[str]:
    """Yield every `length` words in a row; a shorter text is one run."""
    for start in range(max(len(words) - length, 0) + 1):
        yield " ".join(words[start : start + length])


def shingles(text: str, length: int) -> "np.ndarray":
    """Return the hashes of a text's runs of words, uint64 (N,), sorted and each once."""
    import numpy as np

    hashes = {
        int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8).digest())
        for run in runs(words_of(text), length)
    }
    return np.sort(np.fromiter(hashes, dtype=np.uint64, count=len(hashes)))


def jaccard(a: "np.ndarray", b: "np.ndarray") -> float:
    """Return the Jaccard similarity of two texts: shingles in both, as a share of those in either."""
    import numpy as np

    common = len(np.intersect1d(a, b, assume_unique=True))
    either = len(a) + len(b) - common
    return common / either if either else 1.0
