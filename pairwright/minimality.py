"""How far apart two answers are: the measures every pair carries.

Tokens here are words and punctuation marks (`WORD`), so that the numbers do not depend on any
model's vocabulary. Distances are computed by rapidfuzz, in C.
"""

import re
from typing import NamedTuple

from rapidfuzz.distance import LCSseq, Levenshtein

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]")
"""A token: a word, or a mark; in scripts without spaces, where a sentence is one `\\w+`, a character."""


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
    """The stretches that differ, on token borders, in order of position.

    White space counts here: with each `rejected[a:b]` replaced by `chosen[c:d]`, rejected *is* chosen.
    """
    at_c = [m.span() for m in WORD.finditer(chosen)]
    at_r = [m.span() for m in WORD.finditer(rejected)]
    operations = Levenshtein.opcodes([rejected[a:b] for a, b in at_r], [chosen[a:b] for a, b in at_c])
    kept = [
        (at_r[operation.src_start + i], at_c[operation.dest_start + i])
        for operation in operations
        if operation.tag == "equal"
        for i in range(operation.src_end - operation.src_start)
    ]
    ends = ((len(rejected), len(rejected)), (len(chosen), len(chosen)))
    spans: list[Span] = []
    r = c = 0
    for (r_start, r_end), (c_start, c_end) in [*kept, ends]:
        if rejected[r:r_start] != chosen[c:c_start]:
            spans.append(_trimmed(rejected, chosen, Span(r, r_start, c, c_start)))
        r, c = r_end, c_end
    return tuple(spans)


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


def _common_prefix(a: list[str], b: list[str]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
