"""`--config FILE.yaml`: a command's settings from a file.

A value in the file is the text that would stand behind its flag, so `no`, `1e-5`, `1.10` and
`12:30:00` are what they look like; only `null` is special. Of YAML, `name: value`, lists and sections
are read; `train: {beta: 0.1}` and `train.beta: 0.1` are `--train.beta 0.1`. What is JSON behind its
flag may be a mapping here: `extra_body: {top_k: 20}`.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pairwright.config import (
    JSON_SETTINGS,
    Config,
    sections_of,
    setting_named,
    takes_names,
    takes_several,
    unknown_setting,
)
from pairwright.errors import UsageError

_MOST_BYTES = 2**20
_MOST_SETTINGS = 10_000
_DEEPEST = 3
"""Levels of sections: `sample: {engine: {max_model_len: 4096}}` has two."""
_NULLS = ("", "~", "null", "Null", "NULL")
_ONE_OR_SEVERAL = "must be one value or a list of values"


class Settings(NamedTuple):
    """The contents of a settings file."""

    path: str
    values: dict[str, Any]
    """Texts, lists of texts, None, and sections of these."""
    lines: dict[str, int]
    """Where each setting stands, by its name; those of sections have a dot in theirs."""

    def check(self, config: type[Config]) -> None:
        """Raise `UsageError` for a name that is no setting of a command, or has moved to a section."""
        sections = {n for n in sections_of(config) if n in self.lines and self._is_section(n)}
        moved = [n for n in self.lines if n in config.moved and n not in sections]
        if moved:
            where = f"--config {self.path} line {self.lines[moved[0]]}"
            raise UsageError(f"{where}: {config.where_moved(moved)}")
        for name, line in self.lines.items():
            where = f"--config {self.path} line {line}"
            section = sections_of(config).get(name)
            if section is not None and not self._is_section(name):
                raise UsageError(f"{where}: `{name}` is a section: write {name}: {{name: value}}")
            field = setting_named(config, name)
            if field is not None and takes_several(field) and self._lacks_a_value(name):
                raise UsageError(f"{where}: `{name}` holds an empty value; give one, or leave it out")
            if section is None and field is None:
                outer = name.rpartition(".")[0]
                if outer and setting_named(config, outer) is not None:
                    raise UsageError(f"{where}: `{outer}` {_ONE_OR_SEVERAL}, and holds a mapping")
                raise UsageError(f"{where}: {unknown_setting(config, name)}")

    def members(self, config: type[Config], argv: Sequence[str]) -> list[str]:
        """Return the values under names of the user's as flags, to join those of the command line."""
        given = {argument.partition("=")[0] for argument in argv}
        flags = []
        for name in list(self.lines):
            outer, _, inner = name.rpartition(".")
            field = setting_named(config, outer) if outer else None
            if field is not None and takes_names(field):
                value = self._holder(outer).pop(inner, None)
                if isinstance(value, list):
                    where = f"--config {self.path} line {self.lines[name]}"
                    raise UsageError(f"{where}: `{name}` must be one value")
                if value is not None and f"--{name}" not in given:
                    flags.append(f"--{name}={value}")
        return flags

    def _holder(self, section: str) -> dict[str, Any]:
        values = self.values
        for part in section.split("."):
            values = values[part]
        return values

    def _is_section(self, name: str) -> bool:
        return isinstance(self._value(name), dict)

    def _lacks_a_value(self, name: str) -> bool:
        value = self._value(name)
        return None in (value if isinstance(value, list) else [value])

    def _value(self, name: str) -> Any:
        outer, _, inner = name.rpartition(".")
        return (self._holder(outer) if outer else self.values)[inner]


def load_settings(argv: Sequence[str]) -> tuple[list[str], Settings | None]:
    """Return arguments without `--config FILE`, and the file's settings when there is one."""
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
        raise UsageError("--config is given twice; put all settings into one file")
    if not names[0] or names[0].startswith("--"):
        raise UsageError("--config needs a file: --config FILE.yaml")
    return rest, _read(Path(names[0]))


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
    settings = Settings(str(path), {}, {})
    if node is not None and not _is_null(node):
        if not isinstance(node, yaml.MappingNode):
            raise UsageError(f"--config {path}: must be `name: value` lines, and is {_kind(node)}")
        _take(settings, node, "")
    return settings


def _take(settings: Settings, node: yaml.MappingNode, section: str) -> None:
    """Put the settings of a section, and of those in it, where they belong."""
    for key, value in node.value:
        where = f"--config {settings.path} line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise UsageError(f"{where}: a name is one word, and this is {_kind(key)}")
        name = section + str(key.value).replace("-", "_")
        if isinstance(value, yaml.MappingNode) and name.count(".") + 1 >= _DEEPEST:
            raise UsageError(f"{where}: nested too deep")
        if name in settings.lines:
            first = settings.lines[name]
            raise UsageError(f"{where}: `{name}` is given twice; first in line {first}")
        settings.lines[name] = key.start_mark.line + 1
        if len(settings.lines) > _MOST_SETTINGS:
            raise UsageError(f"{where}: more than {_MOST_SETTINGS:,} settings")
        if isinstance(value, yaml.MappingNode) and name.rpartition(".")[2] in JSON_SETTINGS:
            _enter(settings, name, json.dumps(_json(value)), where)
        elif isinstance(value, yaml.MappingNode):
            _enter(settings, name, {}, where)
            _take(settings, value, f"{name}.")
        else:
            _enter(settings, name, _texts(name, value, where), where)


def _enter(settings: Settings, name: str, value: Any, where: str) -> None:
    """Put a value at its place among the sections; a section that is there already is kept."""
    *sections, last = name.split(".")
    values = settings.values
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise UsageError(f"{where}: `{section}` is one value, and here a section")
    if isinstance(value, dict) and isinstance(values.get(last), dict):
        return
    values[last] = value


def _texts(name: str, value: yaml.Node, where: str) -> str | list[str | None] | None:
    several = value.value if isinstance(value, yaml.SequenceNode) else [value]
    for part in several:
        if not isinstance(part, yaml.ScalarNode):
            raise UsageError(f"{where}: `{name}` {_ONE_OR_SEVERAL}, and holds {_kind(part)}")
    texts = [None if _is_null(part) else str(part.value) for part in several]
    return texts if several is value.value else texts[0]


def _json(node: yaml.Node) -> Any:
    """The value of a node as JSON has it: what is no number, `true`, `false` or `null` is a text."""
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _json(inner) for key, inner in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_json(inner) for inner in node.value]
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        with suppress(ValueError):
            return json.loads(node.value)
    return node.value


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in _NULLS


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else "one value"
