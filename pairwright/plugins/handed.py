"""Objects handed over from Python, as names that settings can hold.

What can be imported is named by its module, so that other processes find it too. Everything else
(from a notebook, a script, a function that makes functions) is kept here for this process.
"""

import hashlib
import inspect
import pickle
import sys
from importlib.machinery import PathFinder
from typing import Annotated, Any

from pydantic import BeforeValidator

MARK = "python object "

HANDED: dict[str, tuple[Any, str]] = {}
"""Objects by their name in settings, each with its identity."""


def named(value: Any) -> Any:
    """Name an object for a setting that takes names; objects that cannot be called stay as they are."""
    if isinstance(value, list | tuple):
        return ",".join(str(named(part)) for part in value)
    if not callable(value):
        return value
    module, own = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if module not in (None, "__main__") and (place := _place(value, module, own)) is not None:
        return f"{place}:{own}"
    own = own.rpartition(".")[2].strip("<>") or type(value).__name__
    identity = f"{own}#{_hash_of_object(value)}"
    HANDED[f"{MARK}{identity}"] = value, identity
    return f"{MARK}{identity}"


Named = Annotated[str, BeforeValidator(named)]
"""A setting that takes a name, or from Python the object itself."""


def named_engine(value: Any) -> Any:
    """Return the name of a function where engines are named: `python:` and what `named` calls it."""
    if isinstance(value, list | tuple):
        return ",".join(str(named_engine(part)) for part in value)
    return f"python:{named(value)}" if callable(value) else value


NamedEngine = Annotated[str, BeforeValidator(named_engine)]
"""A setting that takes the name of an engine, or from Python a function that does its work."""


def is_handed(name: str) -> bool:
    """Return whether a name stands for an object that was handed over from Python, in this process."""
    return name.startswith(MARK) and name in HANDED


def _place(value: Any, module: str, own: str) -> str | None:
    """The module, or the file, from which another process gets the same object; None if there is none."""
    found: Any = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    for part in own.split("."):
        found = getattr(found, part, None)
    if found is not value or not own:
        return None
    spec = PathFinder.find_spec(module.partition(".")[0])
    if spec is not None and (file is None or "." in module or spec.origin == file):
        return module
    return file if file is not None and "." not in module else None


def _hash_of_object(value: Any) -> str:
    digest = hashlib.sha256()
    for part in _parts(value, set()):
        digest.update(part)
    return digest.hexdigest()[:12]


def _parts(value: Any, seen: set[int]) -> list[bytes]:
    """What decides an object's work: its source, and what it closes over, to any depth."""
    if id(value) in seen:
        return []
    seen.add(id(value))
    if not inspect.isfunction(value):
        kind = type(value)
        source = _source(kind) if kind.__module__ not in ("builtins", "functools") else b""
        return [source, _state(value, seen)]
    outside = inspect.getclosurevars(value)
    values = {**outside.globals, **outside.nonlocals}
    local = [values[n] for n in sorted(values) if not inspect.ismodule(values[n])]
    inherited = [value.__defaults__, value.__kwdefaults__]
    return [_source(value), *(part for v in (*inherited, *local) for part in _parts(v, seen))]


def _state(value: Any, seen: set[int]) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception:
        held = vars(value) if hasattr(value, "__dict__") else {}
        held = held | {n: getattr(value, n) for n in ("func", "args", "keywords") if hasattr(value, n)}
        return b"".join(part for n in sorted(held) for part in (n.encode(), *_parts(held[n], seen)))


def _source(value: Any) -> bytes:
    try:
        return inspect.getsource(value).encode()
    except (OSError, TypeError):
        code = getattr(value, "__code__", None)
        return code.co_code if code is not None else repr(value).encode()
