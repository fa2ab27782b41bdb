"""From the name of a function or a check to what is needed to call it."""

import pickle
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import cloudpickle

from pairwright.engines.verifiers.calling import Kind, file_of
from pairwright.engines.verifiers.checks import make_check
from pairwright.engines.verifiers.function import POLICY, REVISER, VERIFIER, Form, form_of
from pairwright.engines.verifiers.spec import CHECK, PYTHON
from pairwright.errors import UsageError
from pairwright.plugins import Wanted, load
from pairwright.plugins.handed import is_handed
from pairwright.plugins.identity import is_installed

WANTED: dict[Kind, Wanted] = {"score": VERIFIER, "revision": REVISER, "text": POLICY}
ANY = Wanted("a function", "def NAME(…)", callable)


class Function(NamedTuple):
    """A function as it is called elsewhere."""

    identity: str
    """Its name and a hash of its source, as request keys hold it."""
    form: Form
    wants: tuple[str, ...]
    """Columns that every row must have; `a|b` where one of several will do."""
    file: str | None
    """Where it is written."""
    make: bytes
    """A pickled function of no arguments that gives it."""


def look_up(spec: str, kind: Kind | None = None, *, allow_code: bool = False) -> Function:
    """Return the function that `file.py:name`, `module:name`, `python:…` or `check:…` names.

    Raises `UsageError` when there is none, or when it cannot be called as `kind` wants.
    """
    if spec.startswith(CHECK):
        if kind not in (None, "score"):
            raise UsageError(
                f"{spec} says whether an answer is right, and gives none: name it with --verify"
            )
        check = make_check(spec, allow_code=allow_code)
        make = partial(make_check, spec, allow_code=allow_code)
        return Function(check.identity, form_of(check), check.wants, None, pickle.dumps(make))
    name = spec.removeprefix(PYTHON)
    plugin = load(name, ANY if kind is None else WANTED[kind])
    form = form_of(plugin.value)
    made = _by_value(plugin.value) if is_handed(name) else _pickled(name)
    return Function(f"python:{plugin.identity}", form, form.wants, file_of(plugin.value), made)


def _by_value(value: Any) -> bytes:
    """An object with its code: where it was made, another process may not be able to import it."""
    inner = value.func if isinstance(value, partial) else value
    module = sys.modules.get(getattr(inner, "__module__", None) or "__main__")
    if module is not None and module.__name__ != "__main__" and not _is_installed(module):
        cloudpickle.register_pickle_by_value(module)
    return bytes(cloudpickle.dumps(partial(_same, value)))


def _is_installed(module: ModuleType) -> bool:
    """Whether other processes can import a module. Some of Python's own cannot be pickled by value."""
    file = getattr(module, "__file__", None)
    own = module.__name__.partition(".")[0] in sys.stdlib_module_names
    return own or (file is not None and is_installed(Path(file)))


def _pickled(name: str) -> bytes:
    return pickle.dumps(partial(_loaded, name))


def _loaded(name: str) -> Any:
    return load(name, ANY).value


def _same(value: Any) -> Any:
    return value
