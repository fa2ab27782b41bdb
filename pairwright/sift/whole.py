"""Rows of runs and files as they are: prompts and answers as messages, every other column unchanged."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.folders.ownership import ANSWERS
from pairwright.inputs.beside import calls_of, columns_beside
from pairwright.inputs.columns import (
    LABELLED,
    LISTS,
    PAIR,
    Columns,
    columns_of,
    find_columns,
    sibling_columns,
)
from pairwright.inputs.lists import texts_in
from pairwright.inputs.messages import last_of
from pairwright.inputs.prompt_and_answers import parse_answers, parse_conversation
from pairwright.inputs.row import Parsed
from pairwright.inputs.rows import Input
from pairwright.inputs.source import Record, Source
from pairwright.inputs.sources import open_source
from pairwright.records import Message, content_hash, prompt_hash, stored
from pairwright.schema import CONVERSATION, calling

IDS = ("row_id", "prompt_id")


class WholeRow(NamedTuple):
    """A row that keeps its columns and its id."""

    where: str
    """In which source it stands, and where in it."""
    columns: dict[str, Any]
    problem: str | None = None
    """What is wrong with it, where a bad row is passed over."""

    @property
    def prompt(self) -> str:
        """The prompt as one text."""
        return "\n\n".join(m["content"] for m in self.columns["prompt"])

    @property
    def texts(self) -> tuple[str, ...]:
        """The prompt, then every answer."""
        answers = (self.columns.get(name) for name in ANSWERS)
        told = ["\n\n".join(m["content"] for m in answer) for answer in answers if answer]
        told += (text for name in _several(self.columns) for text in texts_in(self.columns[name]))
        return (self.prompt, *told)


class WholeRows(Input):
    """All rows of several sources, one after the other, under one schema."""

    _source: "Joined"

    def __init__(self, sources: Sequence[str], limit: int | None, skip: int = 0) -> None:
        self._sources = tuple(sources)
        if twice := _named_twice(sources):
            raise UsageError(f"{twice}: named twice; its rows would be counted twice")
        super().__init__(", ".join(sources), Columns(), limit, ("prompt",), answers=False, skip=skip)
        answers = [pa.field(name, CONVERSATION) for name in ANSWERS if name in self._answers]
        own = pa.schema([*((name, pa.string()) for name in IDS), ("prompt", CONVERSATION), *answers])
        own = calling(own) if self.calls_tools else own
        self.schema = pa.schema([*own, *(f for f in self.carried if f.name not in (*ANSWERS, *IDS))])

    def whole(self) -> Iterator[WholeRow]:
        """Yield every row, in order; rows that differ never share an id, whatever their sources say."""
        known: dict[str, str] = {}
        for row in self._parsed():
            if row.problem is not None:
                row_id = content_hash(row.problem)[:16]
                yield WholeRow(row.where, {"row_id": row_id, "prompt_id": "", "prompt": []}, row.problem)
                continue
            columns = {"prompt": stored(row.prompt), **row.carried}
            said = [columns["prompt"], *(columns.get(name) for name in ANSWERS)]
            if several := _several(columns):  # answers that are no column of ours, and what is said of them
                said += [[columns[name] for name in several], columns.get(LABELLED[-1])]
            beside = columns_beside(row.prompt)
            content = content_hash([*said, beside] if beside else said)[:16]
            row_id = str(columns.pop("row_id", None) or content)
            if known.setdefault(row_id, content) != content:
                row_id = content_hash([row_id, content])[:16]
            prompt_id = str(columns.pop("prompt_id", None) or prompt_hash(row.prompt))
            yield WholeRow(row.where, {"row_id": row_id, "prompt_id": prompt_id} | columns)

    def _open(self, source: str) -> Source:
        return Joined([open_source(name) for name in self._sources])

    def _chosen(self, names: list[str], wanted: Columns, answers: bool) -> tuple[Columns, list[str]]:
        """What is carried: what no source's prompt is read from, nor an answer or an id."""
        self._answers = tuple(name for name in ANSWERS if name in names)
        columns = find_columns(self._path, names, wanted, answers=False, own=self._source.own)
        beside = {*IDS, *self._answers, *columns.used}
        return columns, [n for n in names if n not in beside]

    def _ours(self) -> frozenset[str]:
        """Whole rows keep their columns under the names that they have."""
        return frozenset()

    def _parsed(self) -> Iterator[Parsed]:
        return islice(self._tried(self._source.readable(), self._one), self._limit)

    def _one(self, where: str, record: Record) -> list[Parsed]:
        """A row with its answers, of whichever source: each has columns of its own."""
        names = tuple(name for name in self._answers if record.get(name) is not None)
        wanted = Columns(answers=names, calls=True, padded=self._source.schema is not None)
        columns = columns_of(where, list(record), wanted, self._source.own_now())
        if names:
            prompt, said = parse_answers(record, columns, names, where)
            found = {name: self._answer(record, name, text, where) for name, text in said.items()}
        else:
            prompt, last = parse_conversation(record, columns, where)
            found = self._ending(last)
        ids = {name: record.get(name) for name in IDS if name in record}
        carried = {**self._rest(record), **dict.fromkeys(self._answers), **found, **ids}
        return [Parsed(where, prompt, None, carried)]

    def _ending(self, answer: Message | None) -> dict[str, list[dict[str, Any]] | None]:
        """The answer that ends a conversation, in a column of its own."""
        if answer is None or not (answer.content.strip() or answer.tool_calls):
            return {}
        self._answers = tuple(dict.fromkeys((*self._answers, "completion")))
        self.calls_tools |= bool(answer.tool_calls)
        return {"completion": stored([answer])}

    def _answer(
        self, record: Record, name: str, text: str | None, where: str
    ) -> list[dict[str, Any]] | None:
        """An answer as rows hold it; None for an empty one."""
        padded = self._source.schema is not None
        calls = calls_of(last_of(record[name]), f"{where}: `{name}`", padded=padded)
        self.calls_tools |= bool(calls)
        if not text and not calls:
            return None
        return stored([Message(role="assistant", content=text or "", tool_calls=calls)])


def _several(columns: Mapping[str, Any]) -> list[str]:
    """The columns of several answers, in a list or beside each other, but for those of a pair."""
    names = (*LISTS, *sibling_columns([name for name in columns if name not in PAIR]))
    return [name for name in dict.fromkeys(names) if columns.get(name) is not None]


def _named_twice(sources: Sequence[str]) -> str | None:
    """A source that another one is too, by whatever name."""
    places = [str(Path(name).resolve()) for name in sources]
    return next((n for n, place in zip(sources, places, strict=True) if places.count(place) > 1), None)


class Joined(Source):
    """Several sources as one."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        owned = [source.own for source in sources]
        self.own = frozenset().union(*(own or () for own in owned)) if None not in owned else None
        self._now: Source = sources[0]
        schemas = [source.schema for source in sources]
        self.schema: pa.Schema | None = None
        if all(schema is not None for schema in schemas):
            try:
                self.schema = pa.unify_schemas(schemas, promote_options="permissive")
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise UsageError(f"the inputs have a column of one name and two types ({error})") from None

    def own_now(self) -> frozenset[str] | None:
        """Return the run's own columns of the source of the last record."""
        return self._now.own

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield every record of every source, or its error."""
        for source in self._sources:
            self._now = source
            yield from source.readable()

    def sha256(self) -> str:
        """Return the hash of the sources' hashes, in order."""
        return hashlib.sha256(json.dumps([s.sha256() for s in self._sources]).encode()).hexdigest()
