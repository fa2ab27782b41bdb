"""`--config FILE.yaml`: a command's settings from a file.

A value in the file is the text that would stand behind its flag, so `no`, `1e-5`, `1.10` and
`12:30:00` are what they look like; only `null` is special. Of YAML, `name: value` and lists are read;
`engine.max_model_len: 4096` is `--engine.max_model_len 4096`.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pairwright.errors import UsageError

_MOST_BYTES = 2**20
_NULLS = ("", "~", "null", "Null", "NULL")


class Settings(NamedTuple):
    """What a settings file says."""

    path: str
    values: dict[str, str | list[str | None] | None]
    lines: dict[str, int]
    """Where each setting stands."""

    def check(self, known: Iterable[str]) -> None:
        """Raise `UsageError` naming a setting that is none of these."""
        names = list(known)
        for name, line in self.lines.items():
            if name.partition(".")[0] not in names:
                close = get_close_matches(name, names, n=1)
                hint = f"did you mean `{close[0]}`?" if close else "--help lists them"
                raise UsageError(f"--config {self.path} line {line}: no setting `{name}`; {hint}")


def load_settings(argv: Sequence[str]) -> tuple[list[str], Settings | None]:
    """Arguments without `--config FILE`, and the file's settings when there is one."""
    rest: list[str] = []
    names: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        if argument == "--config":
            names.append(next(arguments, ""))
        elif argument.startswith("--config="):
            names.append(argument.removeprefix("--config="))
        else:
            rest.append(argument)
    if not names:
        return rest, None
    if len(names) > 1:
        raise UsageError("--config stands twice; put all settings into one file")
    if not names[0] or names[0].startswith("--"):
        raise UsageError("--config needs a file: --config FILE.yaml")
    settings = _read(Path(names[0]))
    return rest + _members(settings, rest), settings


def _members(settings: Settings, argv: Sequence[str]) -> list[str]:
    """The settings with a dot in their name, which join those of the command line, as flags."""
    given = {argument.partition("=")[0] for argument in argv}
    dotted = {name: settings.values.pop(name) for name in list(settings.values) if "." in name}
    for name, value in dotted.items():
        if isinstance(value, list):
            line = settings.lines[name]
            raise UsageError(f"--config {settings.path} line {line}: `{name}` must be one value")
    return [f"--{n}={v}" for n, v in dotted.items() if v is not None and f"--{n}" not in given]


def _read(path: Path) -> Settings:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise UsageError(f"--config {path}: is no settings file; it has more than a megabyte")
        node = yaml.compose(text.decode("utf-8-sig"), Loader=yaml.BaseLoader)
    except FileNotFoundError:
        raise UsageError(f"--config {path}: no such file") from None
    except OSError as error:
        raise UsageError(f"--config {path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"--config {path}: is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"--config {path}{line}: broken YAML ({error.problem})") from None
    except yaml.YAMLError as error:
        raise UsageError(f"--config {path}: broken YAML ({str(error).splitlines()[0]})") from None
    except RecursionError:
        raise UsageError(f"--config {path}: nested too deep") from None
    return _settings(path, node)


def _settings(path: Path, node: yaml.Node | None) -> Settings:
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    if node is None or _is_null(node):
        return Settings(str(path), values, lines)
    if not isinstance(node, yaml.MappingNode):
        raise UsageError(f"--config {path}: must be `name: value` lines, and is {_kind(node)}")
    for key, value in node.value:
        line = key.start_mark.line + 1
        name = str(key.value).replace("-", "_")
        if not isinstance(key, yaml.ScalarNode):
            raise UsageError(f"--config {path} line {line}: a name is one word, and this is {_kind(key)}")
        if name in values:
            raise UsageError(
                f"--config {path} line {line}: `{name}` stands twice; first in line {lines[name]}"
            )
        several = value.value if isinstance(value, yaml.SequenceNode) else [value]
        for part in several:
            if not isinstance(part, yaml.ScalarNode):
                raise UsageError(
                    f"--config {path} line {line}: `{name}` must be one value or a list of values, "
                    f"and holds {_kind(part)}"
                )
        texts = [None if _is_null(part) else part.value for part in several]
        values[name] = texts if several is value.value else texts[0]
        lines[name] = line
    return Settings(str(path), values, lines)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in _NULLS


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else "one value"
