"""Lines for a terminal: our own, and others' text made safe to print."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

log = logging.getLogger("pairwright")
_TO_LOG: ContextVar[bool] = ContextVar("to_log", default=False)

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls: ESC begins a command to the terminal
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"  # marks that turn text around
)


def say(line: str) -> None:
    """Print a line on standard error; within `spoken_to_log` it goes to the logger instead."""
    if _TO_LOG.get():
        log.info("%s", line)
    else:
        print(line, file=sys.stderr, flush=True)


@contextmanager
def spoken_to_log() -> Iterator[None]:
    """Open a block in which lines go to the logger, as when called from Python, and none to stderr."""
    before = _TO_LOG.set(True)
    try:
        yield
    finally:
        _TO_LOG.reset(before)


def is_spoken_to_log() -> bool:
    """Return whether lines go to the logger."""
    return _TO_LOG.get()


def printable(text: str) -> str:
    """Return the text with control and bidirectional characters escaped; line feeds and tabs stay.

    They could move the cursor or reorder what is read.
    """
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """Return the text in one printable line."""
    return printable(" ".join(text.split()))
