"""How far apart two answers are: the measures every pair carries.

Tokens here are words and punctuation marks (`WORD`), so that the numbers do not depend on any
model's vocabulary. Distances are computed by rapidfuzz, in C.
"""

import re
from typing import NamedTuple

from rapidfuzz.distance import LCSseq, Levenshtein

WORD = re.compile(r"\w+|[^\w\s]")


class Span(NamedTuple):
    """A changed stretch of text, in characters: `rejected[a:b]` became `chosen[c:d]`."""

    rejected_start: int
    rejected_end: int
    chosen_start: int
    chosen_end: int


class Minimality(NamedTuple):
    """Measures of a pair. Contrastiveness as in D'Oosterlinck et al. 2024, §3 (arXiv 2408.06266):
    Jaccard over token sets, and Levenshtein over characters; the rest is ours."""

    token_levenshtein: int
    """Fewest tokens to insert, delete or replace."""
    char_levenshtein: int
    """The same in characters."""
    edit_distance: float
    """`token_levenshtein` as a share of the longer answer: 0 the same, 1 nothing in common."""
    jaccard: float
    """Distinct tokens in both, as a share of distinct tokens in either."""
    kept_share: float
    """Share of the original's tokens that the revision keeps in order (longest common subsequence)."""
    common_prefix: int
    """Tokens from the start that are the same."""
    length_ratio: float
    """Tokens of chosen for each token of rejected."""
    changed_spans: tuple[Span, ...]


def measure(chosen: str, rejected: str, *, original: str) -> Minimality:
    """Measure a pair. `original` (one of the two) is the answer that was revised."""
    words_c, words_r = WORD.findall(chosen), WORD.findall(rejected)
    words_o = words_c if original == chosen else words_r
    distance = Levenshtein.distance(words_r, words_c)
    common = LCSseq.similarity(words_r, words_c)
    either = len(set(words_c) | set(words_r))
    return Minimality(
        token_levenshtein=distance,
        char_levenshtein=Levenshtein.distance(rejected, chosen),
        edit_distance=distance / max(len(words_c), len(words_r), 1),
        jaccard=len(set(words_c) & set(words_r)) / either if either else 1.0,
        kept_share=common / len(words_o) if words_o else 1.0,
        common_prefix=_common_prefix(words_c, words_r),
        length_ratio=len(words_c) / max(len(words_r), 1),
        changed_spans=changed_spans(chosen, rejected),
    )


def changed_spans(chosen: str, rejected: str) -> tuple[Span, ...]:
    """The stretches that differ, on token borders, in order of position."""
    at_c = [m.span() for m in WORD.finditer(chosen)]
    at_r = [m.span() for m in WORD.finditer(rejected)]
    operations = Levenshtein.opcodes([rejected[a:b] for a, b in at_r], [chosen[a:b] for a, b in at_c])
    spans: list[Span] = []
    for operation in operations:
        if operation.tag == "equal":
            continue
        r = _characters(at_r, operation.src_start, operation.src_end, len(rejected))
        c = _characters(at_c, operation.dest_start, operation.dest_end, len(chosen))
        if spans and (spans[-1].rejected_end, spans[-1].chosen_end) == (r[0], c[0]):
            spans[-1] = Span(spans[-1].rejected_start, r[1], spans[-1].chosen_start, c[1])
        else:
            spans.append(Span(*r, *c))
    return tuple(spans)


def _characters(at: list[tuple[int, int]], start: int, end: int, length: int) -> tuple[int, int]:
    """Character range of tokens `start:end`; an empty range stands before token `start`."""
    if start == end:
        here = at[start][0] if start < len(at) else length
        return here, here
    return at[start][0], at[end - 1][1]


def _common_prefix(a: list[str], b: list[str]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
