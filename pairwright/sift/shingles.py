"""Texts as words and as runs of words, by which they are found to be the same or nearly so."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from pairwright.pairs.runs import Cut, Runs, cut
from pairwright.pairs.tokens import WORD
from pairwright.records import key_hash

_HASHES = Runs(key_hash)


def words_of(text: str) -> list[str]:
    """Return the words of a text without regard to case; marks do not count."""
    return [word for word in WORD.findall(text.casefold()) if word[0].isalnum()]


def folded(text: str) -> str:
    """Return a text without regard to case and white space."""
    return " ".join(text.casefold().split())


def cut_folded(texts: Sequence[str]) -> Cut:
    """Return texts cut at their white space, without regard to case."""
    return cut(tuple(text.casefold() for text in texts))


def keys_of(texts: Cut) -> Iterator[bytes]:
    """Yield a hash of each text, in 16 bytes: of what stands between its white space, in order."""
    hashes_D = b"".join(map(_HASHES.__getitem__, texts.runs_D))
    hashes = memoryview(np.frombuffer(hashes_D, "V16")[texts.which_R].tobytes())
    borders = (16 * texts.borders_T).tolist()
    return (hashlib.sha256(hashes[start:end]).digest()[:16] for start, end in pairwise(borders))


def runs(words: list[str], length: int) -> Iterator[str]:
    """Yield every `length` words in a row; a shorter text is one run."""
    for start in range(max(len(words) - length, 0) + 1):
        yield " ".join(words[start : start + length])
