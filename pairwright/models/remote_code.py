"""Python code that comes with a model: run where the user says so, and never asked about on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

TRUST = "trust_remote_code"
_trusted: ContextVar[bool] = ContextVar(TRUST, default=False)


@contextmanager
def trusting(trusted: bool) -> Iterator[None]:
    """Open a block in which loaded models may run their own code, if `trusted` or already allowed."""
    token = _trusted.set(trusted or _trusted.get())
    try:
        yield
    finally:
        _trusted.reset(token)


def own_code() -> dict[str, bool]:
    """Return `trust_remote_code` for `from_pretrained`, which without it would ask on a terminal."""
    return {TRUST: _trusted.get()}


def refused_sentence(name: str, error: Exception) -> str | None:
    """Return the sentence for an error that refuses a model's own code; None for other errors."""
    if TRUST not in str(error):
        return None
    return (
        f"{name}: comes with Python code of its own, which is not run unless you say so: read it, then "
        f"give --{TRUST} (or take a model that transformers knows)"
    )
