"""The base of every command's configuration."""

import inspect
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict
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


class Config(BaseModel):
    """A command's settings: frozen, no unknown fields, a sentence under each field.

    Fields are *semantic* unless marked: a run folder made with other semantic settings is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    group: ClassVar[str] = "Settings"
    """Heading of the class's own fields on a help page."""

    def of_kind(self, kind: Kind) -> dict[str, Any]:
        """The settings of one kind, as JSON values by field name."""
        values = self.model_dump(mode="json")
        return {
            name: _identified(values[name]) if _names_plugins(field) else values[name]
            for name, field in type(self).model_fields.items()
            if kind_of(field) == kind and not (_was_added(field) and getattr(self, name) == field.default)
        }


def kind_of(field: FieldInfo) -> Kind:
    """What a change of this field means for a folder that is already there."""
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
    """Whether the command line takes this field without its flag."""
    return isinstance(field.json_schema_extra, dict) and "positional" in field.json_schema_extra


def heading_of(config: type[Config], field: str) -> str:
    """Heading of the class that declares a field."""
    owner = next(c for c in reversed(config.__mro__) if field in inspect.get_annotations(c))
    return str(owner.__dict__.get("group", Config.group))


def headings(config: type[Config]) -> list[str]:
    """All headings of a command's fields: its own first, then those of its bases."""
    found = [str(c.__dict__["group"]) for c in config.__mro__ if "group" in c.__dict__]
    return list(dict.fromkeys([Config.group, *found]))
