"""The definition of a form of rows: how it is recognised, and how its rows are read."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pairwright.inputs.source import Record, Source

Placed = tuple[str, Record]
"""Where a record stands, and the record."""


class Wrong(Exception):
    """Raised for what is wrong with a row of a form; the message does not say where the row is."""


def _anything(record: Record) -> bool:
    return True


class Form(NamedTuple):
    """How rows of one kind are recognised and read."""

    name: str
    columns: tuple[str, ...]
    """Columns that tell it: a row of this form has all of them."""
    example: str
    """A data set, or what else writes rows so."""
    said: str
    """What its rows are read as, in words."""
    read: Callable[..., Mapping[str, Any] | list[Mapping[str, Any]]] | None = None
    """The columns that take the place of these, from their values in order; of several rows a list. None
    where the columns are read as they are."""
    tells: Callable[[Record], bool] = _anything
    """Whether the values are as this form has them, where its columns are those of others too."""
    whole: Callable[[Source], Iterator[tuple[str, Record | Exception]]] | None = None
    """How all rows are read at once, where a row by itself does not say what its prompt is."""
    also: tuple[str, ...] = ()
    """Further columns that belong to it, and may be missing."""
    partly: bool = False
    """Whether only some of its answers have a score."""

    def fits(self, record: Record) -> bool:
        """Return whether a record is of this form."""
        return set(self.columns) <= record.keys() and self.tells(record)


def answered(**values: Any) -> None:
    """Raise `Wrong`, naming the column, for a value that is not text, a message or a list of messages."""
    for name, value in values.items():
        if value is not None and not isinstance(value, str | list | Mapping):
            raise Wrong(f"`{name}` must be text, and is {value!r}")


def said_by(role: str, text: Any) -> dict[str, Any]:
    """Return a message."""
    return {"role": role, "content": text}
