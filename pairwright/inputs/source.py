"""The interface of sources of records."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from pairwright.errors import PairwrightError, UsageError
from pairwright.schema import plain_type

CHUNK = 1000
"""Rows held in memory at once."""

Record = Mapping[str, Any]
Row = TypeVar("Row")


def tolerated(rows: Iterable[Row | UsageError], skip: int) -> Iterator[Row | UsageError]:
    """Yield rows, and in place of up to `skip` of them what is wrong with them. Raises one error more."""
    bad = 0
    for row in rows:
        if isinstance(row, UsageError):
            bad += 1
            if bad > skip:
                more = f" (bad row {bad}, and --skip_bad_rows {skip} allows no more)" if skip else ""
                raise UsageError(f"{row}{more}") from None
        yield row


class Chunk(NamedTuple):
    """Records that stand one after the other in one place, as columns."""

    name: str
    """What they stand in."""
    first: int
    """The number of the first, counted from 1."""
    rows: pa.RecordBatch

    def where(self, place: int) -> str:
        """Return where the record at a place of it stands."""
        return f"{self.name} row {self.first + place}"

    def readable(self) -> Iterator[tuple[str, Record]]:
        """Yield every record. Raises `PairwrightError` for a value that Python has none for."""
        try:
            records = self.rows.to_pylist()
        except (pa.ArrowException, ValueError, OverflowError) as error:
            raise self._unreadable() or damaged(self.name, self.first - 1, error) from None
        return ((self.where(place), record) for place, record in enumerate(records))

    def _unreadable(self) -> UsageError | None:
        """What to say of the first value that Python has none for."""
        for name, column in zip(self.rows.schema.names, self.rows.columns, strict=True):
            for place, value in enumerate(column):
                try:
                    value.as_py()
                except UnicodeDecodeError:
                    return UsageError(f"{self.where(place)}: `{name}` is not UTF-8 text")
                except (pa.ArrowException, ValueError, OverflowError):
                    what = f"a {column.type} that no date or time of Python is"
                    return UsageError(f"{self.where(place)}: `{name}` is {what}; write it as text")
        return None


Piece = Chunk | tuple[str, Record | UsageError]
"""Records in columns; or where one stands alone, and the record or what is wrong with it."""


class Source(ABC):
    """Records, in an order that never changes."""

    schema: pa.Schema | None = None
    """Columns and their plain types; None when only the records tell."""
    known: pa.Schema = pa.schema([])
    """Types of columns that are known where `schema` is None: of the parts that have one."""
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

    def valueless(self) -> frozenset[str]:
        """Return columns of text that hold no value, whose type nobody knows."""
        return frozenset()

    def pieces(self) -> Iterator[Piece]:
        """Yield all records, in columns where they are kept so."""
        return self.readable()


class ArrowSource(Source):
    """Records that are kept in columns."""

    @abstractmethod
    def pieces(self) -> Iterator[Chunk]:
        """Yield every row: a file is read whole or not at all."""

    def valueless(self) -> frozenset[str]:
        """Return columns of text that hold no value. Reads every row."""
        return valueless_in(chunk.rows for chunk in self.pieces())

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield every row."""
        for batch in self.pieces():
            yield from batch.readable()


def damaged(name: str, number: int, error: Exception) -> PairwrightError:
    """Return what to say of Arrow that cannot be read on after `number` rows."""
    return PairwrightError(f"{name}: damaged after row {number} ({str(error).splitlines()[0]})")


def unified(schemas: Sequence[pa.Schema], valueless: Iterable[Callable[[], frozenset[str]]]) -> pa.Schema:
    """Return one schema of several, where numbers may widen. Raises Arrow's errors where types differ.

    `valueless` find of each the columns of text without a value, which then have the type of the others.
    """
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        free = [_without_types(schema, found()) for schema, found in zip(schemas, valueless, strict=True)]
        return plain_schema(pa.unify_schemas(free, promote_options="permissive"))


def _without_types(schema: pa.Schema, names: frozenset[str]) -> pa.Schema:
    return pa.schema([f.with_type(pa.null()) if f.name in names else f for f in schema])


def valueless_in(parts: Iterable[pa.RecordBatch]) -> frozenset[str]:
    """Return the columns of text, or of no type, in which no part has a value."""
    found, valued = set[str](), set[str]()
    for part in parts:
        for field, column in zip(plain_schema(part.schema), part.columns, strict=True):
            is_text = pa.types.is_string(field.type)
            (found if is_text and column.null_count == len(column) else valued).add(field.name)
    return frozenset(found - valued)


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the same columns without metadata, and without types that readers disagree about."""
    return pa.schema([pa.field(f.name, plain_type(_storage(f.type))) for f in schema])


def _storage(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
