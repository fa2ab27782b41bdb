"""Edits of an answer: found in it, checked against each other, and made. All of them, or none."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from revise.anchors import How, Place, places
from revise.sentences import LABEL, sentences

_QUOTED = 60


class Edit(NamedTuple):
    """What a reviser wants changed: a quotation of the answer, or the number of a sentence."""

    find: str | int
    replace: str
    reason: str = ""


class Made(NamedTuple):
    """An edit where it was made: `find` is what stood there, letter for letter."""

    find: str
    replace: str
    reason: str
    how: How


class Edited(NamedTuple):
    """What came of a list of edits."""

    text: str
    """The revision; the answer itself where there are problems."""
    made: tuple[Made, ...]
    """In the order in which they stand in the answer."""
    problems: tuple[str, ...]
    """Why edits cannot be made, in words for whoever asked for them. If there are any, none was made."""


def apply(edits: Sequence[Edit], answer: str, min_ratio: float = 0.85) -> Edited:
    """Make the edits in the answer, each where it says and nowhere else.

    An edit that changes nothing, or that is there twice, is left out. One that is missing from the
    answer, fits several places, or touches another's text is a problem, and then nothing is changed:
    half of a correction can contradict itself.
    """
    spans = sentences(answer) if any(isinstance(e.find, int) for e in edits) else []
    found: list[tuple[Place, Edit]] = []
    problems: list[str] = []
    for number, edit in enumerate(dict.fromkeys(edits), start=1):
        if edit.find == edit.replace:
            continue
        place = (
            _sentence(edit.find, spans) if isinstance(edit.find, int) else _place(edit, answer, min_ratio)
        )
        if isinstance(place, str):
            problems.append(f"edit {number}: {place}")
            continue
        edit = _fitted(edit, place)
        if answer[place.start : place.end] != edit.replace:
            found.append((place, edit))
    found.sort(key=lambda pair: pair[0][:2])
    for (one, first), (two, second) in pairwise(found):
        if two.start < one.end:
            problems.append(f"two edits change the same text: {_name(first)} and {_name(second)}")
    if problems:
        return Edited(answer, (), tuple(problems))
    made = [Made(answer[p.start : p.end], e.replace, e.reason, p.how) for p, e in found]
    return Edited(_replaced(answer, found), tuple(made), ())


def _place(edit: Edit, answer: str, min_ratio: float) -> Place | str:
    """The one place that a quotation means, or why there is none."""
    quotation = str(edit.find)
    if not quotation.strip():
        return "its `find` is empty; quote the text that it changes, or the words next to it"
    found = places(quotation, answer, min_ratio)
    if not found:
        return f"{_name(edit)} does not stand in the answer; copy it letter for letter"
    if len(found) > 1:
        return f"{_name(edit)} fits {len(found)} places of the answer; quote more words around it"
    return found[0]


def _sentence(number: int, spans: list[tuple[int, int]]) -> Place | str:
    if not 1 <= number <= len(spans):
        return f"there is no sentence {number}; the answer has {len(spans)}"
    return Place(*spans[number - 1], "sentence")


def _fitted(edit: Edit, place: Place) -> Edit:
    """The replacement without what it only repeats of the way the text was shown or quoted."""
    replace = edit.replace
    if isinstance(edit.find, int):
        return edit._replace(replace=replace.strip().removeprefix(LABEL.format(edit.find).strip()).strip())
    if place.how != "exact":  # white space around the quotation was not matched, so none is put in
        if edit.find[:1].isspace():
            replace = replace.lstrip()
        if edit.find[-1:].isspace():
            replace = replace.rstrip()
    return edit._replace(replace=replace)


def _replaced(answer: str, found: list[tuple[Place, Edit]]) -> str:
    parts, done = [], 0
    for place, edit in found:
        parts += [answer[done : place.start], edit.replace]
        done = place.end
    return "".join([*parts, answer[done:]])


def _name(edit: Edit) -> str:
    if isinstance(edit.find, int):
        return f"sentence {edit.find}"
    words = " ".join(edit.find.split())
    return f"“{words if len(words) <= _QUOTED else words[:_QUOTED] + '…'}”"
