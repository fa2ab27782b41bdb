"""An engine of somebody else's: what it raises ends in one sentence that names its own line."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.options import EngineOptions
from pairwright.errors import PairwrightError, UsageError
from pairwright.plugins.guarded import guarded
from pairwright.plugins.loading import fault
from pairwright.records import Finished, Job

_PARTS = ("spec", "identity", "capacity", "submit", "poll", "drain", "close")


class GuardedEngine:
    """Passes everything on to an engine of a kind that is not ours, and checks what comes back.

    Raises `PairwrightError` for whatever that engine raises, and for completions that are none or that
    nobody asked for.
    """

    def __init__(self, engine: Engine, spec: str, kind: EngineKind) -> None:
        lacking = [part for part in _PARTS if not hasattr(engine, part)]
        if lacking:
            raise UsageError(
                f"{spec}: its engine, a {type(engine).__name__}, has no {' and no '.join(lacking)}; "
                "pairwright/engines/base.py says what an engine does"
            )
        self.spec, self.identity, self.capacity = engine.spec, engine.identity, engine.capacity
        self._engine, self._name, self._kind = engine, spec, kind
        self._in_hand: set[str] = set()

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._in_hand.add(job.key)
        with guarded(self._name, self._kind):
            self._engine.submit(job)

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Wait for completions and return them."""
        return self._checked("poll", lambda: self._engine.poll(timeout))

    def drain(self) -> list[Finished]:
        """Start no further job, and return those that have begun."""
        return self._checked("drain", self._engine.drain)

    def close(self) -> None:
        """Close the engine."""
        with guarded(self._name, self._kind):
            self._engine.close()

    def _checked(self, method: str, call: Callable[[], Any]) -> list[Finished]:
        with guarded(self._name, self._kind):
            found = call()
        if not isinstance(found, list) or not all(isinstance(one, Finished) for one in found):
            raise PairwrightError(
                f"{self._name}: its {method} gave {type(found).__name__}, where a list of "
                "pairwright.engines.Finished is due"
            )
        for one in found:
            if one.key not in self._in_hand:
                raise PairwrightError(f"{self._name}: its {method} finished a job that it was not given")
            self._in_hand.remove(one.key)
        return found


def open_guarded(kind: EngineKind, name: str, options: EngineOptions, spec: str) -> GuardedEngine:
    """Open an engine of a kind that is not ours. Raises `UsageError` where it cannot be opened."""
    with _told(kind, f"{spec} cannot be opened"):
        return GuardedEngine(kind.open(name, options, spec), spec, kind)


def guarded_identity(kind: EngineKind, name: str, options: EngineOptions, spec: str) -> str:
    """Return what a kind that is not ours says of an engine. Raises `UsageError` where it says nothing."""
    with _told(kind, f"{spec} does not say its identity"):
        return kind.identity(name, options)


@contextmanager
def _told(kind: EngineKind, what: str) -> Iterator[None]:
    try:
        yield
    except PairwrightError:
        raise
    except Exception as error:
        raise UsageError(f"{what}: {fault(error, inspect.getsourcefile(type(kind)))}") from error
