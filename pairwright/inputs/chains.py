"""Chains of edits: the answers between an answer and its revision, one edit after the other.

Each step of a chain over the last is a pair of its own, after "Fine-Tuning from feedback on text spans"
(https://arxiv.org/abs/2512.23693), which found such pairs better than one pair of the two ends.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rapidfuzz.distance import Prefix

from pairwright.errors import UsageError

EDITS = "edits"
"""Column of the edits that were made, in the order in which they stand in the answer."""


def answers_between(answer: str, revision: str, edits: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Return the answer, the answer after each edit in turn, and finally the revision.

    `edits` have a `find`, which stood in the answer letter for letter, and what `replace`s it. None if they
    do not turn the answer into the revision.
    """
    starts = _places(answer, revision, edits)
    if starts is None:
        return None
    answers, shift = [answer], 0
    for start, edit in zip(starts, edits, strict=True):
        last, begin = answers[-1], start + shift
        answers.append(last[:begin] + edit["replace"] + last[begin + len(edit["find"]) :])
        shift += len(edit["replace"]) - len(edit["find"])
    return answers


def edits_of(value: Any, where: str) -> list[Mapping[str, Any]]:
    """Return the edits of a row. Raises `UsageError`, which begins with `where`, for anything else."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(map(_is_edit, value)):
        raise UsageError(
            f"{where}: `{EDITS}` must be a list of objects with texts `find` and `replace`, as "
            "pairwright revise --mode edits writes it"
        )
    return value


def _is_edit(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value.get("find"))
        and all(isinstance(value.get(name), str) for name in ("find", "replace"))
    )


def _places(answer: str, revision: str, edits: Sequence[Mapping[str, Any]]) -> list[int] | None:
    """Where each edit was made, in the answer: what stands between edits is the same in both texts."""
    reached: dict[int, list[int]] = {0: []}
    """By where the last edit ends: where all of them begin. One way to each end is enough."""
    longer = 0
    for edit in edits:
        find, replace = edit["find"], edit["replace"]
        further: dict[int, list[int]] = {}
        for end, starts in reached.items():
            same = Prefix.similarity(answer[end:], revision[end + longer :])
            start = answer.find(find, end)
            while 0 <= start <= end + same:
                if revision.startswith(replace, start + longer):
                    further.setdefault(start + len(find), [*starts, start])
                start = answer.find(find, start + 1)
        reached, longer = further, longer + len(replace) - len(find)
    for end, starts in reached.items():
        if answer[end:] == revision[end + longer :]:
            return starts
    return None
