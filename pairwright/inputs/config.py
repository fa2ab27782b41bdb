"""Which rows of a source are read, and in which form."""

from typing import ClassVar

from pydantic import Field

from pairwright.config import OPERATIONAL, Config


class SourceConfig(Config):
    """Which rows of what is named, and what form they have."""

    group: ClassVar[str] = "Rows and folder"

    split: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Split to read, such as `train`, where what is named has several."""
    form: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Form of the rows, such as `messages` or `alpaca` (docs/rows.md), where they fit another one too."""

    def split_of(self, source: str) -> str:
        """Return a source's name with split and form. Raises `UsageError` for an unknown form."""
        named = source if self.split is None else f"{source}:{self.split}"
        if self.form is None:
            return named
        from pairwright.inputs.forms.table import form_named

        return f"{form_named(self.form).name}@{named}"
