"""The process in which functions run: told a function once, then asked about answers line by line.

    python -P worker.py

Lines in: first `sys.path` as JSON, then pickles in base64: a `Work`, and lists of `Item`. Lines out are
JSON: first `{"ready": true}` or `{"broken": …}`, then `{"place", "value", "failure"}`, one for each
item. What the function prints goes to stderr, and it reads nothing from stdin.
"""

import base64
import faulthandler
import json
import os
import pickle
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pairwright.engines.verifiers.calling import Kind


class Work(NamedTuple):
    """The first thing that a worker is told."""

    make: bytes
    """A pickled function of no arguments that gives the function to call."""
    kind: "Kind"
    timeout: float
    """Seconds that one call may take."""


def main() -> None:
    """Answer until stdin ends."""
    asked, told = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.path[:] = json.loads(asked.readline())
    _work(pickle.loads(base64.b64decode(asked.readline())), asked, told)


def _work(work: "Work", asked: IO[bytes], told: IO[bytes]) -> None:
    # Only now can our own modules be found.
    from pairwright.engines.verifiers.calling import Caller
    from pairwright.engines.verifiers.function import form_of
    from pairwright.errors import PairwrightError
    from pairwright.plugins.loading import fault

    try:
        make: Callable[[], Callable[..., Any]] = pickle.loads(work.make)
        function = make()
        caller = Caller(function, form_of(function), work.kind, work.timeout)
    except PairwrightError as error:
        return _say(told, broken=str(error))
    except BaseException as error:
        return _say(told, broken=fault(error))
    _say(told, ready=True)
    for line in asked:
        # Where a call hangs, even in C, its line is written to stderr before the process is ended.
        faulthandler.dump_traceback_later(work.timeout, exit=False)
        for place, result in caller.results(pickle.loads(base64.b64decode(line))):
            _say(told, place=place, value=result.value, failure=result.failure)
            faulthandler.dump_traceback_later(work.timeout, exit=False)
        faulthandler.cancel_dump_traceback_later()
    return None


def _say(told: IO[bytes], **words: Any) -> None:
    told.write(json.dumps(words).encode() + b"\n")
    told.flush()


if __name__ == "__main__":
    main()
