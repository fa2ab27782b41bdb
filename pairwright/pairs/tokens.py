"""Texts as tokens: words and punctuation marks, and where each stands.

Tokens do not depend on any model's vocabulary. White space is never part of one, so tokens are found in
each run of other characters by itself; and since language repeats itself, most runs have been met before.

    N tokens of all texts    R runs of characters between white space    D different runs, U tokens of these
    T texts
"""

import re
import sys
import unicodedata
from collections.abc import Hashable, Sequence
from itertools import chain, pairwise
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairwright.pairs.runs import Runs, cut

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
_BLOCKS = ((0x300, 0x1E00), (0x1AB0, 0x1B00), (0x20D0, 0x2100), (0x302A, 0x3030), (0x3099, 0x309B))
_MARKS = "".join(
    chr(code)
    for block in (*_BLOCKS, (0xFE00, 0xFE10), (0xFE20, 0xFE30))
    for code in range(*block)
    if unicodedata.category(chr(code)).startswith("M")
)
"""Signs that belong to the character before them: vowels of Indic scripts, harakat, accents; no `\\w`."""
_JOINERS = "\u200c\u200d"
_LETTER = rf"[^\W{_UNSPACED}]"
WORD = re.compile(
    rf"[{_UNSPACED}][{_MARKS}]*"
    rf"|{_LETTER}+(?:[{_MARKS}{_JOINERS}]+{_LETTER}*)*"
    "|[\U0001f1e6-\U0001f1ff]{2}"  # a flag
    rf"|[^\w\s](?:[{_MARKS}\U0001f3fb-\U0001f3ff]|\u200d[^\w\s])*"  # one emoji, however many parts it has
)
"""A token: a word, or a mark; in scripts without spaces, where a sentence is one `\\w+`, a character.

A sign that belongs to a character is never a token of its own.
"""

_SURROGATES = range(0xD800, 0xE000)
"""Codes that are no characters."""


class Tokens(NamedTuple):
    """The tokens of a text."""

    marks: Sequence[Hashable]
    """One character for each token, the same for the same token in all texts that were looked at together;
    numbers where characters do not suffice. Distances between texts are computed from these fastest."""
    begins: "memoryview[int]"
    """Where each begins in the text."""
    ends: "memoryview[int]"


def tokens_of(texts: Sequence[str]) -> tuple[list[Tokens], NDArray[np.int64]]:
    """Return the tokens of every text, many at once, and all of them as numbers, the same for the same."""
    runs_D, which_R, begins_R, borders_T = cut(tuple(texts))
    found_D = list(map(_IN_RUN.__getitem__, runs_D))
    sizes_D = np.fromiter(map(len, map(_WORDS, found_D)), np.int64, len(found_D))
    words = list(chain.from_iterable(map(_WORDS, found_D)))
    numbers = {word: n for n, word in enumerate(dict.fromkeys(words))}
    numbers_U = np.fromiter(map(numbers.__getitem__, words), np.int64, len(words))
    begins_U = np.fromiter(chain.from_iterable(map(_BEGINS, found_D)), np.int64, len(words))
    lengths_U = np.fromiter(map(len, words), np.int64, len(words))
    sizes_R = sizes_D[which_R]
    lasts_R = np.cumsum(sizes_R)
    firsts_R = (np.cumsum(sizes_D) - sizes_D)[which_R]
    from_N = np.arange(sizes_R.sum()) + np.repeat(firsts_R - lasts_R + sizes_R, sizes_R)
    begins_N = begins_U[from_N] + np.repeat(begins_R, sizes_R)
    numbers_N = numbers_U[from_N]
    marks = _as_characters(numbers_N)
    begins, ends = begins_N.data, (begins_N + lengths_U[from_N]).data
    borders = np.append(0, lasts_R)[borders_T].tolist()
    return [Tokens(marks[a:b], begins[a:b], ends[a:b]) for a, b in pairwise(borders)], numbers_N


def _as_characters(numbers_N: np.ndarray) -> str | list[int]:
    """Numbers as one character each, themselves where there are too many."""
    codes_N = numbers_N + len(_SURROGATES) * (numbers_N >= _SURROGATES.start)
    if codes_N.max(initial=0) > sys.maxunicode:
        return list(map(int, numbers_N))
    return str(codes_N.astype("<u4").tobytes(), "utf-32-le")


def words(text: str) -> list[str]:
    """Return the tokens of a text, `WORD.findall(text)`."""
    return list(chain.from_iterable(map(_WORDS, map(_IN_RUN.__getitem__, text.split()))))


def count(text: str) -> int:
    """Return how many tokens a text has."""
    return sum(map(_SIZE.__getitem__, text.split()))


def _in_run(run: str) -> tuple[list[str], list[int]]:
    """The tokens of a run, and where each begins."""
    found = list(WORD.finditer(run))
    return [m.group() for m in found], [m.start() for m in found]


_IN_RUN = Runs(_in_run)
_SIZE = Runs(lambda run: len(_in_run(run)[0]))
_WORDS, _BEGINS = itemgetter(0), itemgetter(1)
