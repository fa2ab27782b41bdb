"""From `file.py:name` or `module:name` to the object."""

import contextlib
import difflib
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from pairwright.plugins.handed import HANDED, MARK, is_handed
from pairwright.plugins.identity import source_hash
from pairwright.plugins.wanted import Wanted
from pairwright.records import content_hash

_NAME = re.compile(r"(?P<place>.+\.py|[^\W\d][\w.]*):(?P<name>[^\W\d][\w.]*)")


_ANYTHING = Wanted("a function", "def NAME(...)", lambda value: True)


class Plugin(NamedTuple):
    """A user's object."""

    name: str
    """As the user wrote it."""
    value: Any
    identity: str
    """Its name and a hash of its source and of the local modules that this imports."""


def is_plugin(name: str) -> bool:
    """Return whether a name has the form of a plugin's.

    So has `hf:smollm2`: first ask whether a name is of another kind.
    """
    return is_handed(name) or _NAME.fullmatch(name) is not None


def is_there(name: str) -> bool:
    """Return whether a name can only be a plugin's: of a Python file or of an importable module.

    A file alone is one too, so that `load` says what is missing.
    """
    if name.endswith(".py"):
        return True
    if is_handed(name) or not is_plugin(name):
        return is_handed(name)
    place = _parts(name)[0]
    if place.endswith(".py"):
        return True
    _let_import_from(Path.cwd())
    return importlib.util.find_spec(place.partition(".")[0]) is not None


def load(name: str, wanted: Wanted) -> Plugin:
    """Load the object that `name` names.

    Raises `UsageError` when there is none, when its file cannot be run, or when it is not what is
    wanted; the sentence then shows the right form.
    """
    if is_handed(name):
        value, identity = HANDED[name]
    else:
        place, own = _parts(name)
        is_file = place.endswith(".py")
        module = _run_file(name, Path(place)) if is_file else _imported(name, place)
        value = _member(name, module, own)
        short = Path(place).stem if is_file else place.rpartition(".")[2]
        identity = f"{short}:{own}#{_hash(module, None if is_file else place)}"
    wanted.check(name, value)
    return Plugin(name, value, identity)


def identity_of(name: str) -> str:
    """Return the identity of a plugin that a setting names; for any other name, the name."""
    return load(name, _ANYTHING).identity if is_plugin(name) else name


def _parts(name: str) -> tuple[str, str]:
    found = _NAME.fullmatch(name)
    if found is not None:
        return found["place"], found["name"]
    if name.endswith(".py"):
        raise UsageError(f"{name}: name the function in it too, as {name}:NAME")
    if name.startswith(MARK):
        raise UsageError(f"{name}: it was handed over in another process; name it as file.py:NAME")
    raise UsageError(f"{name!r}: a function is named file.py:NAME or module:NAME")


def _imported(name: str, place: str) -> ModuleType:
    _let_import_from(Path.cwd())
    with _running(name, place):
        return importlib.import_module(place)


def _run_file(name: str, path: Path) -> ModuleType:
    """The module that a file is, run once for each content that it has."""
    if not path.is_file():
        raise UsageError(f"{name}: no such file: {path}")
    path = path.resolve()
    own = _own_name(path)
    if own in sys.modules:
        return sys.modules[own]
    spec = importlib.util.spec_from_file_location(own, path)
    assert spec is not None
    _let_import_from(path.parent)
    module = sys.modules[own] = importlib.util.module_from_spec(spec)
    try:
        with _running(name, str(path)):
            # Not by the loader: its cached bytecode goes by the second and the size of the file.
            exec(compile(path.read_bytes(), path, "exec"), module.__dict__)
    except UsageError:
        del sys.modules[own]
        raise
    # A file may add to where modules are looked for, and has then another hash.
    return sys.modules.setdefault(_own_name(path), module)


def _own_name(path: Path) -> str:
    return f"{path.stem}_{content_hash([str(path), source_hash(path)])[:12]}"


def _let_import_from(folder: Path) -> None:
    """Let modules of a folder be imported, after all that are installed: they shadow nothing of ours."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@contextlib.contextmanager
def _running(name: str, place: str) -> Iterator[None]:
    """Say in one sentence what goes wrong while a module runs; what it prints goes to stderr."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name in (place, place.partition(".")[0]):
            raise UsageError(f"{name}: no module {error.name!r} here or among those installed") from None
        raise UsageError(f"{name}: {place} cannot be imported: {fault(error)}") from None


def fault(error: BaseException, path: str | None = None) -> str:
    """Return an exception in one line: its type, its message, and the place in the user's own file `path`.

    Without `path`, or where the exception never passed through it, the place is where it was raised.
    """
    try:
        said = " ".join(str(error).split())
    except Exception as other:  # the exception is the user's own, and so is its text
        said = f"its message cannot be shown ({type(other).__name__})"
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((f for f in reversed(frames) if f.filename == path), frames[-1] if frames else None)
    if isinstance(error, SyntaxError) and error.filename:
        where, line = error.filename, error.lineno
        said = error.msg
    elif frame is not None:
        where, line = frame.filename, frame.lineno
    else:
        return f"{type(error).__name__}: {said}"
    return f"{type(error).__name__}: {said} ({Path(where).name}, line {line})"


def _member(name: str, module: ModuleType, own: str) -> Any:
    try:
        return reduce(getattr, own.split("."), module)
    except AttributeError:
        there = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        there = [n for n in there if getattr(vars(module)[n], "__module__", None) == module.__name__]
        close = difflib.get_close_matches(own, there, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(there) or 'no functions'}"
        raise UsageError(f"{name}: there is no {own!r} in it; {hint}") from None


def _hash(module: ModuleType, dotted: str | None) -> str:
    file = getattr(module, "__file__", None)
    if file is None or not file.endswith(".py"):
        return f"python{sys.version_info.major}.{sys.version_info.minor}"
    return source_hash(Path(file), dotted)
