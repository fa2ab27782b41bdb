"""The Python API: a function for each command, whose keywords are the command's flags.

Nothing is printed. What a command would show on standard output is the result's `text`; progress and notes
go to the logger `pairwright`, at level INFO.
"""

import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pairwright.commands import COMMANDS
from pairwright.config import Config, is_positional, takes_several, unknown_setting
from pairwright.errors import PairwrightError, UsageError
from pairwright.inputs.in_memory import FORMS, file_of, said_of_rows
from pairwright.result import Result
from pairwright.terminal.text import spoken_to_log

NAMES = {"evaluate" if name == "eval" else name: name for name in COMMANDS}
"""Commands by their name in Python, where `eval` is taken."""


_ONE_AT_A_TIME = threading.RLock()
"""Held by the call that runs: standard output and what `accelerate` keeps are the whole process's."""


def function_of(name: str) -> Callable[..., Result]:
    """Return the function `pairwright.NAME`, which runs that command."""
    command = COMMANDS[NAMES[name]]

    def call(*given: Any, **settings: Any) -> Result:
        text = io.StringIO()
        with _ONE_AT_A_TIME:
            config = _configured(name, command.config(), given, settings)
            with contextlib.redirect_stdout(text), spoken_to_log(), _rows_said_as_given():
                value = command.run(config)
        return Result(_written_to(config), text.getvalue(), value)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{command.summary} `pairwright {NAMES[name]} --help` lists the keywords."
    return call


@contextlib.contextmanager
def _rows_said_as_given() -> Iterator[None]:
    """Have errors speak of rows that were handed over, and not of the files that they are kept in."""
    try:
        yield
    except PairwrightError as error:
        error.args = (said_of_rows(str(error)),)
        raise


def _configured(
    name: str, config: type[Config], given: tuple[Any, ...], settings: dict[str, Any]
) -> Config:
    """Settings from what was given: a settings object, or arguments as the command line takes them."""
    if len(given) == 1 and isinstance(given[0], Config):
        if not isinstance(given[0], config) or settings:
            raise UsageError(f"pairwright.{name} takes a {config.__name__} alone, or keywords")
        return given[0]
    fields = config.model_fields
    for unknown in settings.keys() - fields.keys() - config.moved.keys():
        see = f"`pairwright {NAMES[name]} --help` lists them"
        raise UsageError(f"pairwright.{name}: {unknown_setting(config, unknown, see)}")
    places = [field for field in fields if is_positional(fields[field])]
    last = len(places) - 1
    if len(given) > last >= 0 and takes_several(fields[places[last]]):
        given = (*given[:last], given[last:])
    if len(given) > len(places):
        raise UsageError(f"pairwright.{name} takes {len(places)} values without a name, not {len(given)}")
    for place, value in zip(places, given, strict=False):
        if place in settings:
            raise UsageError(f"pairwright.{name}: {place} is given twice")
        settings[place] = value
    plain = {field: _plain(value, f"pairwright.{name}: {field}") for field, value in settings.items()}
    plain |= {f: _several(value) for f, value in plain.items() if f in fields and takes_several(fields[f])}
    try:
        return config(**plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "settings"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "path_type":
            message = "must be a path or a result"
        if first["type"] == "string_type" and first["loc"][:1] and first["loc"][0] in places:
            message = f"must be a path, a result, or rows: {FORMS}"
        told = "must be given" if first["type"] == "missing" else f"{message} (given: {first['input']!r})"
        no_setting = first["type"] == "extra_forbidden"
        said = unknown_setting(config, field) if no_setting else f"{field}: {told}"
        raise UsageError(f"pairwright.{name}: {said}") from None


def _plain(value: Any, field: str) -> Any:
    """The value as settings hold it: paths, results and rows by name, in lists and sections too."""
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if (file := file_of(value, field)) is not None:
        return file
    if isinstance(value, list | tuple):
        return tuple(_plain(part, field) for part in value)
    if isinstance(value, dict):
        return {key: _plain(part, field) for key, part in value.items()}
    return value


def _several(value: Any) -> tuple[Any, ...]:
    """One value alone as the only one of several, and lists among them as what they hold."""
    parts = value if isinstance(value, tuple) else (value,)
    return tuple(chain.from_iterable(part if isinstance(part, tuple) else (part,) for part in parts))


def _written_to(config: Config) -> Path | None:
    """Where a command with these settings writes, if anywhere."""
    for name in ("out", "output_dir", "run"):
        if place := getattr(config, name, None):
            return Path(place)
    return None
