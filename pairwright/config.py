"""The base of every command's configuration."""

import inspect
import os
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.fields import FieldInfo

Kind = Literal["semantic", "gate", "operational"]

GATE: dict[str, Any] = {"kind": "gate"}
"""Mark (`json_schema_extra`) of a field that decides what is kept of finished completions."""
OPERATIONAL: dict[str, Any] = {"kind": "operational"}
"""Mark of a field that changes how the work is done and nothing that comes of it."""
ADDED: dict[str, Any] = {"added": True}
"""Mark of a field that came later, beside its kind: at its default it is not recorded, so that folders
which were made without it go on."""
PLUGINS: dict[str, Any] = {"plugins": True}
"""Mark of a field that may name functions of the user's own, which count by a hash of their source."""
POSITIONAL = OPERATIONAL | {"positional": True}
"""Mark of what a command works on, which may be given without its flag."""

JSON_SETTINGS = ("extra_body", "extra_headers", "chat_template_kwargs")
"""Settings whose text is a JSON object, which a settings file may write as a mapping."""

_PLACES = ("input", "inputs", "run", "runs", "data", "out", "output_dir")
"""Settings that name files and folders."""

C = TypeVar("C", bound="Config")


def also_named(field: FieldInfo) -> tuple[str, ...]:
    """Return a field's further flags (`json_schema_extra`: `also`), such as reserved words of Python."""
    extra = field.json_schema_extra
    names: Any = extra.get("also", ()) if isinstance(extra, dict) else ()
    return tuple(f"--{name}" for name in names)


class Config(BaseModel):
    """A command's settings: frozen, no unknown fields, a sentence under each field.

    Fields are *semantic* unless marked: a run folder made with other semantic settings is refused.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        defer_build=True,  # built when first used, so that help pages need not wait
    )

    group: ClassVar[str] = "Settings"
    """Heading of the class's own fields on a help page."""
    moved: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """Settings that versions before had under other names, each with its names of today."""
    elsewhere: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Names that other tools have for settings, each with its name here."""
    managed: ClassVar[Mapping[str, Iterable[str]]] = MappingProxyType({})
    """By section: settings of its command that this one manages, so they cannot be given there."""

    @field_validator("*", mode="before")
    @classmethod
    def _expand_home(cls, value: Any) -> Any:
        """The home folder where a name begins with it, which no shell expands in a file or in Python."""
        if isinstance(value, list | tuple):
            return [cls._expand_home(one) for one in value]
        if isinstance(value, Path):
            return value.expanduser()
        at_home = isinstance(value, str) and (value == "~" or value.startswith("~/"))
        return os.path.expanduser(value) if at_home else value  # noqa: PTH111  # it may be any text

    @field_validator(*_PLACES, mode="before", check_fields=False)
    @classmethod
    def _refuse_empty(cls, value: Any) -> Any:
        """A place that is given is not empty, as a shell's variable may be: that would be this folder."""
        given = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(one, str) and not one for one in given):
            raise ValueError("is empty; name a file or folder")
        return value

    @classmethod
    def where_moved(cls, names: Iterable[str], flag: str = "") -> str:
        """Return where settings of earlier versions are now, in words; `flag` is the prefix of names."""
        said = []
        for name in names:
            *first, last = (f"{flag}{place}" for place in cls.moved[name])
            said.append(f"{flag}{name} is now {', '.join(first)}{' and ' if first else ''}{last}")
        return "; ".join(said)

    def of_kind(self, kind: Kind) -> dict[str, Any]:
        """Return the settings of one kind by name, as JSON values; a section's are `section.name`."""
        values = self.model_dump(mode="json")
        found: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Config):
                found |= {f"{name}.{inner}": v for inner, v in value.of_kind(kind).items()}
            elif kind_of(field) == kind and not (_was_added(field) and value == field.default):
                found[name] = _identified(values[name]) if _names_plugins(field) else values[name]
        return found

    def into(self, command: type[C], **managed: Any) -> C:
        """Return a command's settings: these, and those given here that the caller manages."""
        return command(**self.model_dump() | managed)


def split_commas(value: Any) -> Any:
    """Split each text of a list at its commas, but for one that is the name of a file or folder."""
    parts = [value] if isinstance(value, str) else value
    if not all(isinstance(p, str) for p in parts):
        return parts
    names = (name for p in parts for name in ([p] if os.path.exists(p) else p.split(",")))  # noqa: PTH110
    return tuple(name.strip() for name in names if name.strip())


def sections_of(config: type[Config]) -> dict[str, type[Config]]:
    """Return the fields that are sections, with the classes of their settings."""
    fields = {name: field.annotation for name, field in config.model_fields.items()}
    return {n: kind for n, kind in fields.items() if isinstance(kind, type) and issubclass(kind, Config)}


def settings_of(config: type[Config]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield all settings by the names of their flags: `beta`, and `train.beta` in a section."""
    sections = sections_of(config)
    for name, field in config.model_fields.items():
        if name in sections:
            yield from ((f"{name}.{inner}", found) for inner, found in settings_of(sections[name]))
        else:
            yield name, field


def takes_names(field: FieldInfo) -> bool:
    """Return whether a setting holds values under the user's own names: `--engine.NAME VALUE`."""
    return field.annotation == dict[str, str]


def takes_several(field: FieldInfo) -> bool:
    """Return whether a setting holds several values: `--data A B`."""
    return get_origin(field.annotation) is tuple


def setting_named(config: type[Config], name: str) -> FieldInfo | None:
    """Return the setting of a name such as `train.beta` or `sample.engine.dtype`, or None."""
    known = dict(settings_of(config))
    if name in known:
        return known[name]
    outer = known.get(name.rpartition(".")[0])
    return outer if outer is not None and takes_names(outer) else None


def unknown_setting(config: type[Config], name: str, see: str = "--help lists them", flag: str = "") -> str:
    """Return the sentence for an unknown setting; `flag` is its prefix, `--` on the command line.

    `see` says where all of them are.
    """
    kind, quote = ("option", "") if flag else ("setting", "`")
    section, dot, inner = name.partition(".")
    if dot and inner.partition(".")[0] in config.managed.get(section, ()):
        return f"no {kind} {quote}{flag}{name}{quote}: each round decides it"
    known = [n for n, _ in settings_of(config)]
    meant = [n for n in known if n.rpartition(".")[2] == config.elsewhere.get(name, name)]
    if dot and section in sections_of(config):
        close = get_close_matches(name, [n for n in known if n.startswith(f"{section}.")], n=1)
    else:
        close = meant or get_close_matches(section, [*known, *sections_of(config)], n=1)
    if close and inner != "help":
        names = " or ".join(f"{quote}{flag}{n}{quote}" for n in close)
        return f"no {kind} {quote}{flag}{name}{quote}; did you mean {names}?"
    if dot and section in sections_of(config):
        return f"no {kind} {quote}{flag}{name}{quote}; pairwright {section} --help lists those of {section}"
    return f"no {kind} {quote}{flag}{name}{quote}; {see}"


def kind_of(field: FieldInfo) -> Kind:
    """Return what a change of this field means for a folder that exists already."""
    extra = field.json_schema_extra
    kind = extra.get("kind", "semantic") if isinstance(extra, dict) else "semantic"
    return kind if kind in ("gate", "operational") else "semantic"  # type: ignore[return-value]


def _was_added(field: FieldInfo) -> bool:
    return isinstance(field.json_schema_extra, dict) and "added" in field.json_schema_extra


def _names_plugins(field: FieldInfo) -> bool:
    return isinstance(field.json_schema_extra, dict) and "plugins" in field.json_schema_extra


def _identified(value: Any) -> Any:
    """A name, or a list of names, in which a function of the user's stands by the hash of its source."""
    from pairwright.plugins.loading import identity_of

    if isinstance(value, list):
        return [_identified(part) for part in value]
    return identity_of(value) if isinstance(value, str) else value


def is_positional(field: FieldInfo) -> bool:
    """Return whether the command line takes this field without its flag."""
    return isinstance(field.json_schema_extra, dict) and "positional" in field.json_schema_extra


def heading_of(config: type[Config], field: str) -> str:
    """Return the heading of the class that declares a field."""
    owner = next(c for c in reversed(config.__mro__) if field in inspect.get_annotations(c))
    return str(owner.__dict__.get("group", Config.group))


def headings(config: type[Config]) -> list[str]:
    """Return all headings of a command's fields: its own first, then those of its bases."""
    found = [str(c.__dict__["group"]) for c in config.__mro__ if "group" in c.__dict__]
    return list(dict.fromkeys([Config.group, *found]))
