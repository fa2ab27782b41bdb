"""Edits of an answer: located, checked against each other, and applied, all or none."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from revise.edits.anchors import Match, Place, places
from revise.edits.sentences import LABEL, sentences

MOST_PROBLEMS = 5
"""No more are looked for: the list is refused by then, and a miss is what takes longest to find."""

_QUOTED = 60
_BROKEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]"  # \beta and \frac as JSON reads them; half a character
    r"|\t(?:heta|imes|au\b|riangle|ext\w*\{)|\n(?:abla|eq\b)|\r(?:ight|angle|ho\b)"
)
"""What a single backslash before a letter becomes in JSON, where LaTeX or a path was meant."""


class Edit(NamedTuple):
    """What a reviser wants changed: a quotation of the answer, or the number of a sentence."""

    find: str | int
    replace: str
    reason: str = ""


class Made(NamedTuple):
    """An applied edit: `find` is what stood there, letter for letter."""

    find: str
    replace: str
    reason: str
    match: Match


class Edited(NamedTuple):
    """The result of applying a list of edits."""

    text: str
    """The revision; the answer itself where there are problems."""
    made: tuple[Made, ...]
    """In the order in which they stand in the answer."""
    problems: tuple[str, ...]
    """Why edits cannot be made, in words for whoever asked for them; at most `MOST_PROBLEMS`. If there
    are any, no edit was made."""


def apply(edits: Sequence[Edit], answer: str, min_ratio: float = 0.85) -> Edited:
    """Apply the edits to the answer, each at its own place and nowhere else.

    An edit that changes nothing, or that is there twice, is left out. One that is missing from the
    answer, fits several places, touches another's text or holds a broken escape is a problem, and then
    nothing is changed: half of a correction can contradict itself.
    """
    spans = sentences(answer) if any(isinstance(e.find, int) for e in edits) else []
    found: list[tuple[Place, Edit]] = []
    problems: list[str] = []
    seen: set[tuple[str | int, str]] = set()
    for number, edit in enumerate(edits, start=1):
        if edit.find == edit.replace or edit[:2] in seen:
            continue
        if len(problems) == MOST_PROBLEMS:
            break
        seen.add(edit[:2])
        place = _broken(edit, answer) or _place(edit, answer, spans, min_ratio)
        if isinstance(place, str):
            problems.append(f"edit {number}: {place}")
            continue
        place, edit = _fitted(edit, place, answer)
        if answer[place.start : place.end] != edit.replace:
            found.append((place, edit))
    found.sort(key=lambda pair: pair[0][:2])
    for (one, first), (two, second) in pairwise(found):
        if two.start < one.end:
            problems.append(f"two edits change the same text: {_name(first)} and {_name(second)}")
    if problems:
        return Edited(answer, (), tuple(problems[:MOST_PROBLEMS]))
    made = [Made(answer[p.start : p.end], e.replace, e.reason, p.match) for p, e in found]
    return Edited(_replaced(answer, found), tuple(made), ())


def _broken(edit: Edit, answer: str) -> str | None:
    """What JSON made of an escape that was not meant as one, unless the answer has the same in it."""
    texts = [text for text in edit[:2] if isinstance(text, str)]
    if any(found not in answer for text in texts for found in _BROKEN.findall(text)):
        return f"{_name(edit)} or its `replace` has a broken escape; in JSON write every backslash twice"
    return None


def _place(edit: Edit, answer: str, spans: list[tuple[int, int]], min_ratio: float) -> Place | str:
    """The one place that a quotation or a number means, or why there is none."""
    if isinstance(edit.find, int):
        return _sentence(edit.find, spans)
    if not edit.find.strip():
        return "its `find` is empty; quote the text that it changes, or the words next to it"
    found = places(edit.find, answer, min_ratio)
    if not found:
        return f"{_name(edit)} does not stand in the answer; copy it letter for letter"
    if len(found) > 1:
        return f"{_name(edit)} fits {len(found)} places of the answer; quote more words around it"
    return found[0]


def _sentence(number: int, spans: list[tuple[int, int]]) -> Place | str:
    if not 1 <= number <= len(spans):
        return f"there is no sentence {number}; the answer has {len(spans)}"
    return Place(*spans[number - 1], "sentence")


def _fitted(edit: Edit, place: Place, answer: str) -> tuple[Place, Edit]:
    """The place, and the replacement without what only repeats how the text was shown or quoted.

    White space around a sentence is the answer's. That around a quotation was matched only if the
    match is exact: else it is the answer's too, unless `replace` begins or ends with another.
    """
    replace = edit.replace
    if isinstance(edit.find, int):
        label = LABEL.format(edit.find).strip()
        return place, edit._replace(replace=replace.strip().removeprefix(label).strip())
    if place.match != "exact":
        start, end = place.start, place.end
        (before, after), (new_before, new_after) = _around(edit.find), _around(replace)
        if before and new_before == before:
            replace = replace.removeprefix(before)
        elif before and new_before:
            start = len(answer[:start].rstrip())
        if after and new_after == after:
            replace = replace.removesuffix(after)
        elif after and new_after:
            end += len(answer[end:]) - len(answer[end:].lstrip())
        place = place._replace(start=start, end=end)
    return place, edit._replace(replace=replace)


def _around(text: str) -> tuple[str, str]:
    """The white space that a text begins and ends with."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def _replaced(answer: str, found: list[tuple[Place, Edit]]) -> str:
    parts, done = [], 0
    for place, edit in found:
        parts += [answer[done : place.start], edit.replace]
        done = place.end
    return "".join([*parts, answer[done:]])


def _name(edit: Edit) -> str:
    if isinstance(edit.find, int):
        return f"sentence {edit.find}"
    words = " ".join(edit.find.encode(errors="replace").decode().split())
    return f"“{words if len(words) <= _QUOTED else words[:_QUOTED] + '…'}”"
