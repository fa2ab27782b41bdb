"""What is found in the runs of characters between white space of a text.

Language repeats itself: most runs have been met before.
"""

from collections.abc import Callable
from typing import TypeVar

_LENGTH, _COUNT = 40, 2**16
"""Characters of the longest run that is remembered (longer ones hardly come twice), and how many are."""

Found = TypeVar("Found")


class Runs(dict[str, Found]):
    """What was found in each run, by the run; `runs[run]` finds what was not found yet."""

    def __init__(self, find: Callable[[str], Found]) -> None:
        self._find = find

    def __missing__(self, run: str) -> Found:
        found = self._find(run)
        if len(run) <= _LENGTH:
            if len(self) >= _COUNT:
                self.clear()
            self[run] = found
        return found
