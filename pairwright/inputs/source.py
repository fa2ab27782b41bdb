"""The interface of sources of records."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.schema import plain_type

CHUNK = 1000
"""Rows held in memory at once."""

Record = Mapping[str, Any]


class Source(ABC):
    """Records, in an order that never changes."""

    schema: pa.Schema | None = None
    """Columns and their plain types; None when only the records tell."""
    own: frozenset[str] | None = None
    """Of a run of ours, the columns that are the run's; None for what comes from elsewhere."""
    partly: bool = False
    """Whether rows are scored answers, of which those without a `score` are in no pair."""
    dropped: bool = False
    """Whether these are rows that a run of ours did not keep."""

    def __iter__(self) -> Iterator[tuple[str, Record]]:
        """Where a record stands (`answers.jsonl line 7`), and the record. Raises at a broken one."""
        for where, record in self.readable():
            if isinstance(record, UsageError):
                raise record
            yield where, record

    @abstractmethod
    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield records; for one that cannot be read, the error."""

    @abstractmethod
    def sha256(self) -> str:
        """Return the hash of what is read."""


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the same columns without metadata, and without types that readers disagree about."""
    return pa.schema([pa.field(f.name, plain_type(_storage(f.type))) for f in schema])


def _storage(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
