"""Rows of work: prompts and answers, whose identities do not depend on where they stand."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar, NamedTuple, TypeVar

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.folders.manifest import InputInfo
from pairwright.inputs.carried import CarriedTypes
from pairwright.inputs.columns import Columns, find_columns, parse_row
from pairwright.inputs.occurrences import Occurrences
from pairwright.inputs.source import CHUNK, Source
from pairwright.inputs.sources import open_source
from pairwright.records import Message, canonical_json, content_hash
from pairwright.schema import STATUS

T = TypeVar("T")


class Candidate(NamedTuple):
    """One of several answers to a prompt."""

    text: str
    model: str | None = None
    """The model that gave it, where that is known."""
    column: str | None = None
    """The column it stands in, where answers stand side by side."""


class Row(NamedTuple):
    """One row of work."""

    row_id: str
    """Hash of prompt, answer and occurrence: the same row has the same id wherever it stands."""
    prompt_id: str
    """Hash of the prompt alone."""
    occurrence: int
    """How many equal rows came before it."""
    prompt: tuple[Message, ...]
    answer: str | None
    carried: dict[str, Any]
    """The input's other columns."""
    candidates: tuple[Candidate, ...] = ()
    """All answers to the prompt, where the input was read for that (`pairwright.inputs.candidates`)."""


class Parsed(NamedTuple):
    """What a record says, and where it stands."""

    where: str
    prompt: tuple[Message, ...]
    answer: str | None
    carried: dict[str, Any]
    candidates: tuple[Candidate, ...] = ()

    @property
    def content(self) -> tuple[str | None, ...]:
        """What makes it the same as another: prompt and answers."""
        said = (text for message in self.prompt for text in (message.role, message.content))
        return (*said, self.answer, *(candidate.text for candidate in self.candidates))


class Input:
    """A validated input: every row was looked at once before any work starts.

    `reserved` names the columns that we write ourselves. With `answers` off no column of answers is
    read; if there is one, it is carried through.
    """

    carried: list[pa.Field]
    """The other columns, under the names and types they are written with."""
    limit_counts_rows: ClassVar[bool] = True
    """Whether a row of work is one row of the source."""
    unanswered: str | None = None
    """Where the first row without an answer stands; None when all have one."""

    def __init__(
        self,
        source: str,
        columns: Columns,
        limit: int | None,
        reserved: Iterable[str] = (),
        *,
        answers: bool = True,
    ) -> None:
        self._path = source
        self._source = self._open(source)
        self._limit = limit
        names = _column_names(self._source, limit if self.limit_counts_rows else None)
        self._columns, rest = self._chosen(names, columns, answers)
        self._names = _free_names(rest, {*reserved, *(f.name for f in STATUS)})
        self._as_text: frozenset[str] = frozenset()
        self._occurrences = Occurrences()
        rows = self._survey()
        if not rows:
            raise UsageError(f"{source}: no rows in it; there is nothing to do")
        self.info = InputInfo(path=source, sha256=input_sha256(self._source, limit), rows=rows)

    def _open(self, source: str) -> Source:
        return open_source(source)

    @property
    def has_answers(self) -> bool:
        """Whether a column of answers was found."""
        return self._columns.answer is not None

    def __iter__(self) -> Iterator[Row]:
        return (row for _, row in self.rows())

    def rows(self, wanted: Callable[[int], bool] = lambda _: True) -> Iterator[tuple[int, Row]]:
        """The rows whose places (counted from 0) are wanted, each with its place."""
        count = self._occurrences.counter()
        for place, parsed in enumerate(self._parsed()):
            occurrence = count(parsed.content)
            if wanted(place):
                yield place, self._row(parsed, occurrence)

    def _row(self, parsed: Parsed, occurrence: int) -> Row:
        """A row with its identities; `occurrence` equal ones came before."""
        _, prompt, answer, carried, _ = parsed
        prompt_id = content_hash([{"role": m.role, "content": m.content} for m in prompt])
        row_id = content_hash([prompt_id, answer, occurrence])
        return Row(row_id[:16], prompt_id[:16], occurrence, prompt, answer, carried)

    def _parsed(self) -> Iterator[Parsed]:
        for where, record in islice(self._source, self._limit):
            prompt, answer = parse_row(record, self._columns, where)
            yield Parsed(where, prompt, answer, self._rest(record))

    def _chosen(self, names: list[str], wanted: Columns, answers: bool) -> tuple[Columns, list[str]]:
        """The columns to read, and those to carry through."""
        columns = find_columns(self._path, names, wanted, answers=answers)
        return columns, [n for n in names if n not in columns.used]

    def _rest(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The other columns of a record."""
        carried = {self._names[n]: value for n, value in record.items() if n in self._names}
        for name in self._as_text & carried.keys():
            carried[name] = None if carried[name] is None else canonical_json(carried[name])
        return carried

    def _survey(self) -> int:
        """Count the rows, check each one, and find the types of the carried columns."""
        schema, types, count = self._source.schema, CarriedTypes(), 0
        for chunk in _chunks(self._parsed()):
            count += len(chunk)
            for row in chunk:
                self._occurrences.survey(row.content)
            if self.unanswered is None:
                self.unanswered = next((row.where for row in chunk if row.answer is None), None)
            if schema is None:
                types.learn([(row.where, row.carried) for row in chunk])
        if types.widened:
            for chunk in _chunks(self._parsed()):
                types.check([(row.where, row.carried) for row in chunk])
        if schema is None:
            self.carried, self._as_text = types.fields(), types.as_text()
        else:
            self.carried = [pa.field(new, schema.field(n).type) for n, new in self._names.items()]
        return count


def input_sha256(source: Source, limit: int | None) -> str:
    """Hash of the first `limit` rows of a source: of what they are read from, and of the limit."""
    return hashlib.sha256(json.dumps([source.sha256(), limit]).encode()).hexdigest()


def _column_names(source: Source, limit: int | None) -> list[str]:
    """Columns of a source. JSONL has no schema: every line may bring new ones."""
    if source.schema is not None:
        return list(source.schema.names)
    return list(dict.fromkeys(name for _, record in islice(source, limit) for name in record))


def _free_names(names: list[str], reserved: set[str]) -> dict[str, str]:
    """The name each column is carried under: `input_` goes before one that we write ourselves."""
    found = {name: name for name in names if name not in reserved}
    taken = reserved | found.keys()
    for name in names:
        if name in reserved:
            new = f"input_{name}"
            while new in taken:
                new = f"input_{new}"
            taken.add(new)
            found[name] = new
    return {name: found[name] for name in names}


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk
