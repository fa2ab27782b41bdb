"""The base of every command's configuration."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

Kind = Literal["semantic", "gate", "operational"]

GATE = {"kind": "gate"}
"""Mark (`json_schema_extra`) of a field that decides what is kept of finished completions."""
OPERATIONAL = {"kind": "operational"}
"""Mark of a field that changes how the work is done and nothing that comes of it."""


class Config(BaseModel):
    """A command's settings: frozen, no unknown fields, a sentence under each field.

    Fields are *semantic* unless marked: a run folder made with other semantic settings is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def of_kind(self, kind: Kind) -> dict[str, Any]:
        """The settings of one kind, as JSON values by field name."""
        values = self.model_dump(mode="json")
        return {n: values[n] for n, f in type(self).model_fields.items() if kind_of(f) == kind}


def kind_of(field: FieldInfo) -> Kind:
    """What a change of this field means for a folder that is already there."""
    extra = field.json_schema_extra
    kind = extra.get("kind", "semantic") if isinstance(extra, dict) else "semantic"
    return kind if kind in ("gate", "operational") else "semantic"  # type: ignore[return-value]
