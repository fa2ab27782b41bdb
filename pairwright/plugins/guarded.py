"""The user's own code while it runs: what it raises ends in one sentence that names its own line."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pairwright.errors import PairwrightError
from pairwright.plugins.loading import fault

MEND = "finished work is kept: mend it and run the same command again"


@contextmanager
def guarded(name: str, value: Any, *passing: type[Exception]) -> Iterator[None]:
    """Open a block that runs `value`, an object of the user's own that is called `name`.

    Raises `PairwrightError` for whatever it raises; ours, and `passing` exceptions, are let through.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (PairwrightError, *passing)):
            raise
        raise PairwrightError(f"{name}: {fault(error, _file_of(value))}; {MEND}") from error


def require(name: str, what: str, *, given: Any, fits: bool) -> None:
    """Raise `PairwrightError` where the user's code gave something else than `what` is due."""
    if not fits:
        shown = " ".join(repr(given).split())
        raise PairwrightError(f"{name}: gave {shown[:80]}, where {what} is due; {MEND}")


def _file_of(value: Any) -> str | None:
    """The file in which a function, a class or the class of an object is written."""
    for one in (value, type(value)):
        try:
            return inspect.getsourcefile(inspect.unwrap(one))
        except TypeError:
            continue
    return None
