"""The interface that a plugin must have, and the sentence that shows it when a plugin differs."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from pairwright.errors import UsageError


class Wanted(NamedTuple):
    """The interface of one kind of plugin."""

    what: str
    """With its article: `a gate`."""
    form: str
    """How it is written, with `NAME` for its name: `def NAME(revision, config) -> Ending | None`."""
    fits: Callable[[Any], bool]
    """Whether an object is one."""

    def check(self, name: str, value: Any) -> None:
        """Raise `UsageError` that shows the right form, when `value` is something else."""
        if self.fits(value):
            return
        own = name.rpartition(":")[2]
        raise UsageError(
            f"{name}: {self.what} is written `{self.form.replace('NAME', own)}`; this is {described(value)}"
        )


def function(what: str, form: str, *arguments: str) -> Wanted:
    """Return the interface of a function with positional parameters of these names."""
    return Wanted(what, form, lambda value: callable(value) and takes(value, len(arguments)))


def takes(value: Callable[..., Any], count: int, *keywords: str) -> bool:
    """Return whether a callable accepts `count` positional arguments, these keywords and no others."""
    signature = signature_of(value)
    if signature is None:
        return True  # some of those written in C do not tell
    try:
        signature.bind(*range(count), **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True


def signature_of(value: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of a callable, or None if it has none."""
    try:
        return inspect.signature(value)
    except (TypeError, ValueError):
        return None


def described(value: Any) -> str:
    """Describe an object in a few words: its parameters, or its type."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if not callable(value):
        return f"no function but {type(value).__name__}"
    parameters = ", ".join(str(p) for p in getattr(signature_of(value), "parameters", {}).values())
    return f"`def {getattr(value, '__name__', type(value).__name__)}({parameters})`"
