"""Ctrl-C, SIGTERM and SIGHUP: the first asks the work to stop at a good place, the second stops it now."""

import os
import signal
import stat
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
    """Yield a function that says whether a first signal has come. A second one interrupts.

    A terminal that is closed (SIGHUP) is a first signal, unless `nohup` has it ignored.
    """
    requested, also = False, _ALSO.get()

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        if number == signal.SIGHUP:
            _write_nowhere()  # and no second one: shell and kernel may both send it
        elif requested:
            raise KeyboardInterrupt
        requested = True

    previous: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                previous[number] = signal.signal(number, handle)
    except ValueError:  # not the main thread: signals are somebody else's business
        pass
    try:
        yield lambda: requested or also()
    finally:
        for caught, handler in previous.items():
            signal.signal(caught, handler)


def _write_nowhere() -> None:
    """Let what is said go nowhere that was said to a terminal: to one that is gone, writing is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for said in (1, 2):
        if stat.S_ISCHR(os.fstat(said).st_mode):
            os.dup2(nowhere, said)
    os.close(nowhere)
