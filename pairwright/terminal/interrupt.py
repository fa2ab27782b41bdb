"""Ctrl-C and SIGTERM: the first asks the work to stop at a good place, the second stops it now."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

from pairwright.errors import PairwrightError


class Interrupted(PairwrightError):
    """The user stopped the work; what was finished is kept. Exit code 130, as shells expect."""

    exit_code = 130


class Cancelled(PairwrightError):
    """What a run had under way elsewhere is given up, as the user wished. Exit code 0."""

    exit_code = 0


_ALSO: ContextVar[Callable[[], bool]] = ContextVar("also", default=lambda: False)


@contextmanager
def stopping_when(asked: Callable[[], bool]) -> Iterator[None]:
    """Let work within, in this thread, stop where a function says so, as at a first signal."""
    token = _ALSO.set(asked)
    try:
        yield
    finally:
        _ALSO.reset(token)


@contextmanager
def stop_requested() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether a first signal has come. A second one interrupts."""
    requested, also = False, _ALSO.get()

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            raise KeyboardInterrupt
        requested = True

    previous: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, handle)
    except ValueError:  # not the main thread: signals are somebody else's business
        pass
    try:
        yield lambda: requested or also()
    finally:
        for caught, handler in previous.items():
            signal.signal(caught, handler)
