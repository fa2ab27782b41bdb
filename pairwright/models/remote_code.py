"""Python code that comes with a model: run where the user says so, and never asked about on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

TRUST = "trust_remote_code"
_trusted: ContextVar[bool] = ContextVar(TRUST, default=False)


@contextmanager
def trusting(trusted: bool) -> Iterator[None]:
    """Open a block in which models that are loaded may run code of their own, if `trusted` or if it was
    so before.
    """
    token = _trusted.set(trusted or _trusted.get())
    try:
        yield
    finally:
        _trusted.reset(token)


def own_code() -> dict[str, bool]:
    """Return the `trust_remote_code` that `from_pretrained` is given; without one it would ask on a
    terminal.
    """
    return {TRUST: _trusted.get()}


def refused_sentence(name: str, error: Exception) -> str | None:
    """Return the sentence for an error that says that a model's own code may not be run; None for other
    errors.
    """
    if TRUST not in str(error):
        return None
    return (
        f"{name}: comes with Python code of its own, which is not run unless you say so: read it, then "
        f"give --{TRUST} (or take a model that transformers knows)"
    )
