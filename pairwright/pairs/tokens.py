"""Texts as tokens: words and punctuation marks, and where each stands.

Tokens do not depend on any model's vocabulary. White space is never part of one, so tokens are found in
each run of other characters by itself; and since language repeats itself, most runs have been met before.

    N tokens of all texts    R runs of characters between white space    T texts
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

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

_SPACE = np.array([chr(code).isspace() for code in range(0x3002)])
"""Whether a character is white space, by its code; those from U+3001 on are not."""


class Tokens(NamedTuple):
    """The tokens of a text."""

    words: Sequence[str]
    begins: Sequence[int]
    """Where each begins in the text."""
    ends: Sequence[int]


def tokens_of(texts: Sequence[str]) -> list[Tokens]:
    """Return the tokens of every text, many at once."""
    together = "\n".join(texts)
    codes = np.frombuffer(together.encode("utf-32-le", "surrogatepass"), np.uint32)
    space = _SPACE[np.minimum(codes, len(_SPACE) - 1)]
    starts_R = np.flatnonzero(~space & np.r_[True, space][:-1])
    found = list(map(_tokens_in, together.split()))
    words = list(chain.from_iterable(run.words for run in found))
    sizes_R = np.fromiter((len(run.words) for run in found), np.int64, len(found))
    within_N = np.fromiter(chain.from_iterable(run.begins for run in found), np.int64, len(words))
    begins_N = np.repeat(starts_R, sizes_R) + within_N
    lengths_T = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
    firsts_T = np.cumsum(lengths_T) - lengths_T
    borders = [*np.searchsorted(begins_N, firsts_T).tolist(), len(words)]
    begins_N -= np.repeat(firsts_T, np.diff(borders))
    ends_N = begins_N + np.fromiter(map(len, words), np.int64, len(words))
    begins, ends = begins_N.tolist(), ends_N.tolist()
    return [Tokens(words[a:b], begins[a:b], ends[a:b]) for a, b in pairwise(borders)]


def words(text: str) -> list[str]:
    """Return the tokens of a text, `WORD.findall(text)`."""
    return [word for run in text.split() for word in _tokens_in(run).words]


@lru_cache(maxsize=2**16)
def _tokens_in(run: str) -> Tokens:
    found = list(WORD.finditer(run))
    return Tokens([m.group() for m in found], [m.start() for m in found], [m.end() for m in found])
