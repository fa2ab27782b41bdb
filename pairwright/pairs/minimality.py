"""How far apart two answers are: the measures every pair carries.

Tokens here are words and punctuation marks (`pairwright.pairs.tokens`). White space is no token, but a
change of it between two tokens that stay is an edit: code is right or wrong by its indentation. Distances
are computed by rapidfuzz, in C.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np
from rapidfuzz.distance import LCSseq, Levenshtein
from rapidfuzz.process import cpdist

from pairwright.pairs.tokens import Tokens, tokens_of

_TOKEN_BITS = 32
"""Bits of the number of a token and of a side."""
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


def measure(chosen: str, rejected: str, *, original: str) -> Minimality:
    """Measure a pair. `original` (one of the two) is the answer that was revised."""
    [found] = measure_all([chosen], [rejected], original_is_chosen=original == chosen)
    return found


def measure_all(
    chosen: Sequence[str], rejected: Sequence[str], *, original_is_chosen: bool
) -> list[Minimality]:
    """Measure pairs. Their original is the answer that was revised."""
    tokens = tokens_of([*chosen, *rejected])
    tokens_c, tokens_r = tokens[: len(chosen)], tokens[len(chosen) :]
    marks_c, marks_r = ([one.marks for one in side] for side in (tokens_c, tokens_r))
    fewest = cpdist(marks_r, marks_c, scorer=Levenshtein.distance).tolist()
    fewest_characters = cpdist(rejected, chosen, scorer=Levenshtein.distance).tolist()
    in_order = cpdist(marks_r, marks_c, scorer=LCSseq.similarity).tolist()
    sizes = map(len, marks_c if original_is_chosen else marks_r)
    shares = [both / size if size else 1.0 for both, size in zip(in_order, sizes, strict=True)]
    alike = _jaccard(tokens_c, tokens_r)
    pairs = zip(chosen, rejected, tokens_c, tokens_r, fewest, fewest_characters, shares, alike, strict=True)
    return [_measured(*pair) for pair in pairs]


def _measured(
    chosen: str,
    rejected: str,
    tokens_c: Tokens,
    tokens_r: Tokens,
    fewest: int,
    fewest_characters: int,
    kept_share: float,
    jaccard: float,
) -> Minimality:
    size_c, size_r = len(tokens_c.marks), len(tokens_r.marks)
    kept = list(_kept(chosen, rejected, tokens_c, tokens_r))
    distance = fewest + _respaced(chosen, rejected, kept)
    return Minimality(
        token_levenshtein=distance,
        char_levenshtein=fewest_characters,
        edit_distance=min(distance / max(size_c, size_r, 1), 1.0),
        jaccard=jaccard,
        kept_share=kept_share,
        common_prefix=_prefix(chosen, rejected, tokens_r, kept),
        length_ratio=size_c / max(size_r, 1),
        changed_spans=_spans(chosen, rejected, kept),
    )


def _jaccard(tokens_c: Sequence[Tokens], tokens_r: Sequence[Tokens]) -> list[float]:
    """Of each pair the distinct tokens in both answers, as a share of those in either.

    Distinct tokens of all pairs are found at once, as numbers of a pair, a token, and a side.
    """
    pairs = len(tokens_c)
    if pairs < 2:  # not worth an array
        return [_share({*c.marks}, {*r.marks}) for c, r in zip(tokens_c, tokens_r, strict=True)]
    both_sides = [one.numbers for one in (*tokens_c, *tokens_r)]
    sizes = np.fromiter(map(len, both_sides), np.int64, 2 * pairs)
    pair, side = np.tile(np.arange(pairs), 2), np.repeat([0, 1], pairs)
    told = np.sort(np.repeat(pair << _TOKEN_BITS | side, sizes) | np.concatenate(both_sides) << 1)
    told = told[np.r_[True, told[1:] != told[:-1]][: len(told)]]
    twice = told[1:][told[1:] >> 1 == told[:-1] >> 1]
    both = np.bincount(twice >> _TOKEN_BITS, minlength=pairs)
    either = np.bincount(told >> _TOKEN_BITS, minlength=pairs) - both
    return np.where(either, both / np.maximum(either, 1), 1.0).tolist()  # type: ignore[no-any-return]


def _share(one: set[Hashable], other: set[Hashable]) -> float:
    """What is in both, as a share of what is in either."""
    return len(one & other) / len(one | other) if one or other else 1.0


def changed_spans(chosen: str, rejected: str) -> tuple[Span, ...]:
    """Return the stretches that differ, on token borders, in order of position.

    White space counts here: with each `rejected[a:b]` replaced by `chosen[c:d]`, rejected *is* chosen.
    """
    tokens_c, tokens_r = tokens_of([chosen, rejected])
    return _spans(chosen, rejected, list(_kept(chosen, rejected, tokens_c, tokens_r)))


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


def _prefix(chosen: str, rejected: str, tokens_r: Tokens, kept: list[Stretch]) -> int:
    """Tokens before the first difference, be it of a token or of white space."""
    end = other = 0
    for start_r, start_c, length in kept:
        if rejected[end:start_r] != chosen[other:start_c]:
            break
        end, other = start_r + length, start_c + length
    return bisect_left(tokens_r.begins, end)


def _kept(chosen: str, rejected: str, tokens_c: Tokens, tokens_r: Tokens) -> Iterator[Stretch]:
    """Stretches that both texts keep, in order: where each begins in either, and its length.

    A run of kept tokens is one stretch if the white space in it is the same, and else token by token.
    """
    alignment = Levenshtein.opcodes(tokens_r.marks, tokens_c.marks)
    for tag, first_r, last_r, first_c, _ in cast(list[Operation], alignment.as_list()):
        if tag != "equal":
            continue
        r, c, end = tokens_r.begins[first_r], tokens_c.begins[first_c], tokens_r.ends[last_r - 1]
        if chosen.startswith(rejected[r:end], c):
            yield r, c, end - r
        else:
            for n in range(first_r, last_r):
                r = tokens_r.begins[n]
                yield r, tokens_c.begins[first_c + n - first_r], tokens_r.ends[n] - r


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
