"""The interface of engines, and of their kinds."""

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from pairwright.engines.options import EngineOptions
from pairwright.records import Finished, Job


class Engine(Protocol):
    """Takes jobs and returns completions as they finish, in any order.

    A job never raises and never takes its neighbours with it: whatever goes wrong with one is a
    completion with a `failure`. An engine that cannot work at all raises `PairwrightError`.
    """

    spec: str
    """The engine as the user named it."""
    identity: str
    """Model and revision, as they enter request keys: same identity, same distribution."""
    capacity: int
    """How many jobs it wants in hand at once to be busy."""

    def submit(self, job: Job) -> None:
        """Take a job. Returns at once."""
        ...

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Wait for at least one completion (at most `timeout` seconds) and return all there are."""
        ...

    def drain(self) -> list[Finished]:
        """Start no further job; wait for those that have begun, and return them."""
        ...

    def close(self) -> None:
        """Free the model and the connections. Jobs in hand are given up."""
        ...


class EngineKind(ABC):
    """The kind before the colon of an engine's spec: how to open one, and what it can do.

    `name` is what follows the colon, `spec` all of it. Only `open` loads a model.
    """

    help: ClassVar[str]
    """How a spec is written and what it names, in one line."""
    holds_schemas: ClassVar[bool] = False
    """Whether it can hold an answer to a JSON schema."""
    heeds: ClassVar[frozenset[str]] = frozenset()
    """Those settings of `AskedOptions` that its engines heed; the others are at their defaults there."""

    def check(self, name: str) -> None:
        """Raise `UsageError` for a name that cannot be one of this kind, as far as is seen at once."""
        return

    @abstractmethod
    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        """Return the engine, ready for work. Heavy imports happen here, not before."""

    @abstractmethod
    def identity(self, name: str, options: EngineOptions) -> str:
        """Return model and revision, as request keys hold them."""

    def is_function(self, name: str) -> bool:
        """Return whether it is a function of an answer, which nothing is said to in words."""
        return False

    def reports_logprobs(self, name: str) -> bool:
        """Return whether completions can carry `top_logprobs`."""
        return False
