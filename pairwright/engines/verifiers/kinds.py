"""The kinds `python` and `check`: the user's own functions and engines, and shipped checks."""

from typing import ClassVar

from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.guarded import guarded_identity, open_guarded
from pairwright.engines.options import EngineOptions
from pairwright.engines.verifiers.engine import FunctionEngine
from pairwright.engines.verifiers.lookup import ANY
from pairwright.engines.verifiers.spec import CHECK, PYTHON
from pairwright.plugins import load


class PythonKind(EngineKind):
    """A function, called in processes of its own; or a subclass of `EngineKind`, opened here."""

    help: ClassVar = "python:FILE.py:NAME (a function of your own)"

    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        """Make ready to call the function, or open the engine."""
        own = _own_kind(name)
        return open_guarded(own, _last(name), options, spec) if own else FunctionEngine(spec, options)

    def identity(self, name: str, options: EngineOptions) -> str:
        """Return the name and a hash of its source; of an engine with the identity that it has itself."""
        own = _own_kind(name)
        if own is None:
            return FunctionEngine.identify(f"{PYTHON}{name}", options)
        said = guarded_identity(own, _last(name), options, f"{PYTHON}{name}")
        return f"python:{load(name, ANY).identity}:{said}"

    def is_function(self, name: str) -> bool:
        """Return whether it is no engine of the user's own."""
        return _own_kind(name) is None

    def reports_logprobs(self, name: str) -> bool:
        """Return whether the user's own kind says so; functions report none."""
        own = _own_kind(name)
        return own is not None and own.reports_logprobs(_last(name))


class CheckKind(EngineKind):
    """A check that we ship, called in processes of its own."""

    help: ClassVar = "check:NAME (a shipped check, as a judge only)"

    def is_function(self, name: str) -> bool:
        """Return True: every check is one."""
        return True

    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        """Make ready to call the check."""
        return FunctionEngine(spec, options)

    def identity(self, name: str, options: EngineOptions) -> str:
        """Return the check with its arguments and its version."""
        return FunctionEngine.identify(f"{CHECK}{name}", options)


def _own_kind(name: str) -> EngineKind | None:
    """The kind of engine that the user has written under this name, or None for a function."""
    value = load(name, ANY).value
    return value() if isinstance(value, type) and issubclass(value, EngineKind) else None


def _last(name: str) -> str:
    """The name of the class alone: where its file lies decides nothing."""
    return name.rpartition(":")[2]
