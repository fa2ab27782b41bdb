"""What every engine can do."""

from typing import Protocol

from pairwright.records import Finished, Job


class Engine(Protocol):
    """Takes jobs, gives completions back as they finish, in any order.

    A job never raises and never takes its neighbours with it: whatever goes wrong with one is a
    completion with a `failure`. An engine that cannot work at all raises `PairwrightError`.
    """

    spec: str
    """The engine as the user named it."""
    identity: str
    """Model and revision, as they enter request keys: same identity, same distribution."""
    capacity: int
    """How many jobs it wants in hand at once to be busy."""
    reports_logprobs: bool
    """Whether completions can carry `top_logprobs`."""
    constrains: bool
    """Whether `choices` and `json_schema` are enforced."""

    def submit(self, job: Job) -> None:
        """Take a job. Returns at once."""
        ...

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Wait for at least one completion (at most `timeout` seconds) and return all there are."""
        ...

    def drain(self) -> list[Finished]:
        """Begin nothing more; wait for what has begun, and return it."""
        ...

    def close(self) -> None:
        """Free the model and the connections. Jobs in hand are given up."""
        ...
