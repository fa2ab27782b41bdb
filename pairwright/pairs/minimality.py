"""Minimality: the measures of how far apart a pair's two answers are.

Tokens here are words and punctuation marks (`WORD`), so that the numbers do not depend on any model's
vocabulary. White space is no token, but a change of it between two tokens that stay is an edit: code is
right or wrong by its indentation. Distances are computed by rapidfuzz, in C.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple, cast

from rapidfuzz.distance import LCSseq, Levenshtein

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


Stretch = tuple[int, int, int]
"""Text that both answers keep: where it begins in rejected and in chosen, and its length in characters."""
Operation = tuple[str, int, int, int, int]
"""`equal`, `insert`, `delete` or `replace`, and the tokens it is about: `rejected[a:b]`, `chosen[c:d]`."""


class Span(NamedTuple):
    """A changed stretch of text, in characters: `rejected[a:b]` became `chosen[c:d]`."""

    rejected_start: int
    rejected_end: int
    chosen_start: int
    chosen_end: int


class Minimality(NamedTuple):
    """Measures of how far apart the answers of a pair are.

    Contrastiveness as in D'Oosterlinck et al. 2024, §3 (arXiv 2408.06266): Jaccard over token sets, and
    Levenshtein over characters; the rest is ours.
    """

    token_levenshtein: int
    """Fewest tokens to insert, delete or replace, and changes of white space between those that stay."""
    char_levenshtein: int
    """The same in characters."""
    edit_distance: float
    """`token_levenshtein` as a share of the longer answer: 0 the same, 1 nothing in common."""
    jaccard: float
    """Distinct tokens in both, as a share of distinct tokens in either."""
    kept_share: float
    """Share of the original's tokens that the revision keeps in order (longest common subsequence)."""
    common_prefix: int
    """Tokens from the start that are the same, with the white space before them."""
    length_ratio: float
    """Tokens of chosen for each token of rejected."""
    changed_spans: tuple[Span, ...]


@lru_cache(maxsize=8)
def words(text: str) -> tuple[str, ...]:
    """Return the tokens of a text, `WORD.findall(text)`.

    White space is never part of a token, so tokens are found in each run of other characters by
    itself; and since language repeats itself, most runs have been met before.
    """
    return tuple(chain.from_iterable(map(_words_of, text.split())))


@lru_cache(maxsize=2**16)
def _words_of(run: str) -> tuple[str, ...]:
    return tuple(WORD.findall(run))


@lru_cache(maxsize=8)
def _begins(text: str) -> list[int]:
    """Where each token of a text begins. Only white space stands between them, so it is the next find."""
    begins, at = [], 0
    for token in words(text):
        at = text.find(token, at)
        begins.append(at)
        at += len(token)
    return begins


def measure(chosen: str, rejected: str, *, original: str) -> Minimality:
    """Measure a pair. `original` (one of the two) is the answer that was revised."""
    words_c, words_r = words(chosen), words(rejected)
    words_o = words_c if original == chosen else words_r
    alignment = Levenshtein.opcodes(words_r, words_c)
    operations = cast(list[Operation], alignment.as_list())
    kept = list(_kept(chosen, rejected, operations))
    distance = len(alignment.as_editops()) + _respaced(chosen, rejected, kept)
    distinct_c, distinct_r = set(words_c), set(words_r)
    both = len(distinct_c & distinct_r)
    either = len(distinct_c) + len(distinct_r) - both
    return Minimality(
        token_levenshtein=distance,
        char_levenshtein=Levenshtein.distance(rejected, chosen),
        edit_distance=min(distance / max(len(words_c), len(words_r), 1), 1.0),
        jaccard=both / either if either else 1.0,
        kept_share=LCSseq.similarity(words_r, words_c) / len(words_o) if words_o else 1.0,
        common_prefix=_prefix(chosen, rejected, kept),
        length_ratio=len(words_c) / max(len(words_r), 1),
        changed_spans=_spans(chosen, rejected, kept),
    )


def changed_spans(chosen: str, rejected: str) -> tuple[Span, ...]:
    """Return the spans that differ, on token borders, in order of position.

    White space counts here: with each `rejected[a:b]` replaced by `chosen[c:d]`, rejected *is* chosen.
    """
    operations = Levenshtein.opcodes(words(rejected), words(chosen)).as_list()
    return _spans(chosen, rejected, list(_kept(chosen, rejected, cast(list[Operation], operations))))


def _spans(chosen: str, rejected: str, kept: list[Stretch]) -> tuple[Span, ...]:
    """The spans behind an alignment of tokens: all that lies between what both texts keep."""
    spans: list[Span] = []
    r = c = 0
    for begin_r, begin_c, length in (*kept, (len(rejected), len(chosen), 0)):
        if rejected[r:begin_r] != chosen[c:begin_c]:
            spans.append(_trimmed(rejected, chosen, Span(r, begin_r, c, begin_c)))
        r, c = begin_r + length, begin_c + length
    return tuple(spans)


def _respaced(chosen: str, rejected: str, kept: list[Stretch]) -> int:
    """How often the white space between two tokens that stay is another, or that at either end."""
    ends = [(0, 0, 0), *kept, (len(rejected), len(chosen), 0)] if kept else []
    count = 0
    for (r, c, length), (next_r, next_c, _) in pairwise(ends):
        before, after = rejected[r + length : next_r], chosen[c + length : next_c]
        count += before != after and not before.strip() and not after.strip()
    return count


def _prefix(chosen: str, rejected: str, kept: list[Stretch]) -> int:
    """Tokens before the first difference, be it of a token or of white space."""
    end = other = 0
    for start_r, start_c, length in kept:
        if rejected[end:start_r] != chosen[other:start_c]:
            break
        end, other = start_r + length, start_c + length
    return bisect_left(_begins(rejected), end)


def _kept(chosen: str, rejected: str, operations: list[Operation]) -> Iterator[Stretch]:
    """Stretches that both texts keep, in order: where each begins in either, and its length.

    A run of kept tokens is one stretch if the white space in it is the same, and else token by token.
    """
    words_r, begins_r, begins_c = words(rejected), _begins(rejected), _begins(chosen)
    for tag, first_r, last_r, first_c, _ in operations:
        if tag != "equal":
            continue
        r, c = begins_r[first_r], begins_c[first_c]
        end = begins_r[last_r - 1] + len(words_r[last_r - 1])
        if chosen.startswith(rejected[r:end], c):
            yield r, c, end - r
        else:
            for n in range(first_r, last_r):
                yield begins_r[n], begins_c[first_c + n - first_r], len(words_r[n])


def _trimmed(rejected: str, chosen: str, span: Span) -> Span:
    """The span without the white space that both of its sides begin or end with."""
    r_start, r_end, c_start, c_end = span
    while (
        r_start < r_end
        and c_start < c_end
        and rejected[r_start] == chosen[c_start]
        and rejected[r_start].isspace()
    ):
        r_start, c_start = r_start + 1, c_start + 1
    while (
        r_start < r_end
        and c_start < c_end
        and rejected[r_end - 1] == chosen[c_end - 1]
        and rejected[r_end - 1].isspace()
    ):
        r_end, c_end = r_end - 1, c_end - 1
    return Span(r_start, r_end, c_start, c_end)
