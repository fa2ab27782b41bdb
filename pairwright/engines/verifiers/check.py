"""The interface of a shipped check."""

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
