"""The interface of a shipped check."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Score = tuple[float, str]
"""A score, 1 being a pass, and what is wrong with the answer in words for whoever mends it."""


@dataclass(frozen=True)
class Check:
    """A shipped check with its arguments."""

    score: Callable[[str, str, Mapping[str, Any]], Score]
    wants: tuple[str, ...] = ()
    """Columns that a row must have; `a|b` where one of several will do."""
    libraries: tuple[str, ...] = ()
    """Those whose versions decide what it says."""
    data: str = ""
    """Hash of the files that it reads."""
    identity: str = ""

    def __call__(self, prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        """The score of an answer."""
        return self.score(prompt, answer, row)


def first_given(row: Mapping[str, Any], columns: str) -> Any:
    """Return what the first of the columns `a|b` holds that is no null and no NaN.

    Raises `ValueError` where none of them holds one, since a missing value is no wrong answer.
    """
    for name in columns.split("|"):
        value = row.get(name)
        if not (value is None or (isinstance(value, float) and math.isnan(value))):
            return value
    raise ValueError(f"the row has no value in its column {named(columns)}")


def named(columns: str) -> str:
    """Return the columns `a|b` as a sentence names them."""
    return f"`{columns.replace('|', '` or `')}`"
