"""How far apart two answers are: the measures every pair carries.

Tokens here are words and punctuation marks (`pairwright.pairs.tokens`). White space is no token, but a
change of it between two tokens that stay is an edit: code is right or wrong by its indentation. Distances
are computed by rapidfuzz, in C.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq, Levenshtein
from rapidfuzz.process import cpdist

from pairwright.pairs.tokens import Tokens, tokens_of

_TOKEN_BITS = 32
"""Bits of the number of a token and of a side."""
Stretch = tuple[int, int, int]
"""Text that both answers keep: where it begins in rejected and in chosen, and its length in characters."""
Change = tuple[int, int, int, int]
"""Text that differs: `rejected[a:b]` and `chosen[c:d]`, in characters."""
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
    tokens, numbers_N = tokens_of([*chosen, *rejected])
    tokens_c, tokens_r = tokens[: len(chosen)], tokens[len(chosen) :]
    marks_c, marks_r = ([one.marks for one in side] for side in (tokens_c, tokens_r))
    fewest = cpdist(marks_r, marks_c, scorer=Levenshtein.distance).tolist()
    fewest_characters = cpdist(rejected, chosen, scorer=Levenshtein.distance).tolist()
    in_order = cpdist(marks_r, marks_c, scorer=LCSseq.similarity).tolist()
    sizes = map(len, marks_c if original_is_chosen else marks_r)
    shares = [both / size if size else 1.0 for both, size in zip(in_order, sizes, strict=True)]
    alike = _jaccard(marks_c, marks_r, numbers_N)
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
    changes = list(_changes(chosen, rejected, kept))
    respaced = [0 for a, b, c, d in changes if kept and not (rejected[a:b].strip() or chosen[c:d].strip())]
    distance = fewest + len(respaced)
    return Minimality(
        token_levenshtein=distance,
        char_levenshtein=fewest_characters,
        edit_distance=min(distance / max(size_c, size_r, 1), 1.0),
        jaccard=jaccard,
        kept_share=kept_share,
        common_prefix=bisect_left(tokens_r.begins, changes[0][0]) if changes else size_r,
        length_ratio=size_c / max(size_r, 1),
        changed_spans=tuple([_trimmed(rejected, chosen, change) for change in changes]),
    )


def _jaccard(
    marks_c: Sequence[Sequence[Hashable]],
    marks_r: Sequence[Sequence[Hashable]],
    numbers_N: NDArray[np.int64],
) -> list[float]:
    """Of each pair the distinct tokens in both answers, as a share of those in either.

    Distinct tokens of all pairs are found at once, as numbers of a pair, a token, and a side.
    """
    pairs = len(marks_c)
    if pairs < 2:  # not worth an array
        return [_share({*c}, {*r}) for c, r in zip(marks_c, marks_r, strict=True)]
    sizes = np.fromiter(map(len, [*marks_c, *marks_r]), np.int64, 2 * pairs)
    pair, side = np.tile(np.arange(pairs), 2), np.repeat([0, 1], pairs)
    told = np.sort(np.repeat(pair << _TOKEN_BITS | side, sizes) | numbers_N << 1)
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
    (tokens_c, tokens_r), _ = tokens_of([chosen, rejected])
    changes = _changes(chosen, rejected, _kept(chosen, rejected, tokens_c, tokens_r))
    return tuple(_trimmed(rejected, chosen, change) for change in changes)


def _changes(chosen: str, rejected: str, kept: Iterable[Stretch]) -> Iterator[Change]:
    """All that lies between what both texts keep and is not the same in them."""
    r = c = 0
    for begin_r, begin_c, length in (*kept, (len(rejected), len(chosen), 0)):
        if rejected[r:begin_r] != chosen[c:begin_c]:
            yield r, begin_r, c, begin_c
        r, c = begin_r + length, begin_c + length


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


def _trimmed(rejected: str, chosen: str, change: Change) -> Span:
    """A change without the white space that both of its sides begin or end with."""
    r_start, r_end, c_start, c_end = change
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
