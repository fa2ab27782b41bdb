"""A source of records: what every kind of input gives."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import pyarrow as pa

from pairwright.schema import plain_type

CHUNK = 1000
"""Rows held in memory at once."""


class Source(Protocol):
    """Records, in an order that never changes."""

    schema: pa.Schema | None
    """Columns and their plain types; None when only the records tell."""

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Where a record stands (`answers.jsonl line 7`), and the record."""
        ...

    def sha256(self) -> str:
        """Hash of what is read."""
        ...


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The same columns without metadata, and without types that readers disagree about."""
    return pa.schema([pa.field(f.name, plain_type(_storage(f.type))) for f in schema])


def _storage(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
