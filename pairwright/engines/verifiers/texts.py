"""Checks of a text: the texts it contains, its length, its pattern."""

import re
from collections.abc import Mapping
from typing import Any

from pairwright.engines.verifiers.check import Check, Score, first_given
from pairwright.errors import UsageError


def contains(*texts: str, column: str | None = None, ignore_case: bool = True) -> Check:
    """Make the check that an answer contains every text; those of a column (one, or a list) too."""
    return _of_texts(texts, column, ignore_case, wanted=True)


def excludes(*texts: str, column: str | None = None, ignore_case: bool = True) -> Check:
    """Make the check that an answer contains none of the texts."""
    return _of_texts(texts, column, ignore_case, wanted=False)


def _of_texts(texts: tuple[str, ...], column: str | None, ignore_case: bool, *, wanted: bool) -> Check:
    if not texts and column is None:
        raise UsageError('check:contains and check:excludes are given texts, or column=NAME: ("please")')

    def score(prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        sought = [*texts, *([] if column is None else _listed(row, column))]
        if not sought:
            raise ValueError(f"the row has no text in its column `{column}`")
        said = answer.casefold() if ignore_case else answer
        found = [text for text in sought if (text.casefold() if ignore_case else text) in said]
        wrong = [t for t in sought if t not in found] if wanted else found
        quoted = ", ".join(f"“{text}”" for text in wrong)
        verb = "must contain" if wanted else "must not contain"
        return (len(sought) - len(wrong)) / len(sought), f"the answer {verb} {quoted}" if wrong else ""

    return Check(score, () if column is None else (column,))


def length(
    *,
    min_words: int = 0,
    max_words: int | None = None,
    min_characters: int = 0,
    max_characters: int | None = None,
) -> Check:
    """Make the check of an answer's length in words (between white space) and in characters."""
    limits = {"words": (min_words, max_words), "characters": (min_characters, max_characters)}
    if all(limit in ((0, None),) for limit in limits.values()):
        raise UsageError("check:length is given min_words, max_words, min_characters or max_characters")
    for unit, (least, most) in limits.items():
        if least < 0 or (most is not None and most < least):
            raise UsageError(f"check:length: no answer has at least {least} and at most {most} {unit}")

    def score(prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        for unit, (least, most) in limits.items():
            has = len(answer.split()) if unit == "words" else len(answer)
            if has < least or (most is not None and has > most):
                wanted = f"at least {least}" if has < least else f"at most {most}"
                return 0.0, f"the answer has {has} {unit}; {wanted} are wanted"
        return 1.0, ""

    return Check(score)


def regex(pattern: str | None = None, *, column: str | None = None, whole: bool = False) -> Check:
    """Make the check that an answer contains a match of a pattern, which is given or in a column.

    With `whole`, the match has to be the whole answer.
    """
    if (pattern is None) == (column is None):
        raise UsageError('check:regex is given a pattern, as check:regex("^yes"), or column=NAME')
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise UsageError(f"check:regex: {pattern!r} is no pattern: {error}") from None

    def score(prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        wanted = pattern if column is None else first_given(row, column)
        if not isinstance(wanted, str):
            raise ValueError(f"the column `{column}` holds {wanted!r}, which is no pattern")
        found = (re.fullmatch if whole else re.search)(wanted, answer, re.MULTILINE)
        return (1.0, "") if found else (0.0, f"the answer does not match the pattern {wanted}")

    return Check(score, () if column is None else (column,))


def _listed(row: Mapping[str, Any], column: str) -> list[str]:
    value = first_given(row, column)
    return [str(text) for text in value] if isinstance(value, list | tuple) else [str(value)]
