"""The stub of the Python door, written from the models that configure the commands."""

import types
import typing
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from pairwright.api import NAMES
from pairwright.commands import COMMANDS
from pairwright.config import Config, is_positional

_HEAD = '''\
"""The Python door, for type checkers and editors; written from the commands' settings."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, overload

from pairwright.config import Config
from pairwright.result import Result as Result

class _Dataset(Protocol):
    def to_parquet(self, file: Any, /) -> Any: ...

class _Frame(Protocol):
    def write_parquet(self, file: Any, /) -> Any: ...

_Rows = Sequence[Mapping[str, Any]] | _Dataset | _Frame
_One = str | PathLike[str] | Callable[..., Any] | _Rows
_Named = _One | Sequence[_One]
"""Text, a path, a result, rows; where a name is taken, the object itself."""
'''


def reference() -> str:
    """The stub."""
    return "\n".join([_HEAD, *(_function(python, name) for python, name in NAMES.items())])


def _function(python: str, name: str) -> str:
    config = COMMANDS[name].config()
    fields = config.model_fields
    first = [f"    {n}: {_parameter(f)},\n" for n, f in fields.items() if is_positional(f)]
    if len(first) == 1 and _is_tuple(next(f for f in fields.values() if is_positional(f))):
        first = [f"    *{first[0].split(':')[0].strip()}: _Named,\n"]
    others = [f"    {n}: {_parameter(f)},\n" for n, f in fields.items() if not is_positional(f)]
    star = [] if first and first[0].startswith("    *") else ["    *,\n"]
    about = f'    """{COMMANDS[name].summary}"""\n'
    keywords = "".join([*first, *star, *others])
    return (
        f"@overload\ndef {python}(settings: Config, /) -> Result:\n{about}\n"
        f"@overload\ndef {python}(\n{keywords}) -> Result:\n{about}"
    )


def _is_tuple(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def _parameter(field: FieldInfo) -> str:
    return _typed(field.annotation) + ("" if field.is_required() else " = ...")


def _typed(kind: Any) -> str:
    """A field's type as a caller may write it."""
    origin = get_origin(kind)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, get_args(kind)))}]".replace("'", '"')
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(_typed(part) for part in get_args(kind)))
    if origin is typing.Annotated:
        return _typed(get_args(kind)[0])
    if origin in (tuple, list):
        return f"_Named | Sequence[{_typed(get_args(kind)[0])}]"
    if origin is dict:
        return "Mapping[str, Any]"
    if isinstance(kind, type) and issubclass(kind, Config):
        return "Mapping[str, Any]"
    return {int: "int", float: "float", bool: "bool", type(None): "None"}.get(kind, "_Named")
