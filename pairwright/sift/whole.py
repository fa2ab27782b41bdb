"""Rows of runs and files as they are: prompts and answers as messages, every other column unchanged."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pairwright.errors import UsageError
from pairwright.folders.ownership import ANSWERS
from pairwright.folders.shards import as_table
from pairwright.inputs.beside import calls_of, columns_beside
from pairwright.inputs.columns import ANSWERS as CONVENTION
from pairwright.inputs.columns import (
    LABELLED,
    LISTS,
    PAIR,
    Columns,
    columns_of,
    find_columns,
    sibling_columns,
)
from pairwright.inputs.conversations import (
    Conversations,
    Plain,
    by_chunks,
    chunks_of,
    first_of,
    hashes_of,
    of_type,
    plain,
)
from pairwright.inputs.lists import texts_in
from pairwright.inputs.messages import last_of
from pairwright.inputs.names import named_twice
from pairwright.inputs.prompt_and_answers import parse_answers, parse_conversation
from pairwright.inputs.row import Parsed
from pairwright.inputs.rows import Input
from pairwright.inputs.source import Chunk, Record, Source
from pairwright.inputs.sources import open_kept
from pairwright.records import Message, content_hash, key_hash, prompt_hash, stored
from pairwright.schema import CONVERSATION, calling
from pairwright.sift.joined import Joined
from pairwright.sift.sorted_runs import Firsts

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
        told += (text for name in _others(self.columns) for text in texts_in(self.columns[name]))
        return (self.prompt, *told)


class Block(NamedTuple):
    """Rows that keep their columns and their ids, as columns."""

    wheres: Sequence[str]
    """In which source each stands, and where in it."""
    table: pa.Table
    problems: Mapping[int, str] = MappingProxyType({})
    """What is wrong with rows that are passed over, by their places."""

    def rows(self) -> Iterator[WholeRow]:
        """Yield each row by itself."""
        columns = zip(self.wheres, self.table.to_pylist(), strict=True)
        return (WholeRow(where, row, self.problems.get(n)) for n, (where, row) in enumerate(columns))

    def sound(self) -> "Block":
        """Return the rows with which nothing is wrong."""
        if not self.problems:
            return self
        return self.take([place for place in range(len(self.wheres)) if place not in self.problems])

    def take(self, places: Sequence[int]) -> "Block":
        """Return the rows at some places."""
        wheres = [self.wheres[place] for place in places]
        problems = {n: self.problems[place] for n, place in enumerate(places) if place in self.problems}
        return Block(wheres, self.table.take(pa.array(places, pa.int64())), problems)

    def prompts(self) -> pa.StringArray:
        """Return each prompt as one text."""
        return Conversations(self.table["prompt"].combine_chunks()).joined()

    def texts(self) -> pa.StringArray:
        """Return all that each row says, prompt and answers, as one text."""
        names = self.table.schema.names
        if _may_be_others(names):
            return pa.array(["\n\n".join(row.texts) for row in self.rows()], pa.string())
        columns = [self.table[name].combine_chunks() for name in ANSWERS if name in names]
        answers = [Conversations(column).joined() for column in columns]
        return pc.binary_join_element_wise(self.prompts(), *answers, "\n\n", null_handling="skip")


class WholeRows(Input):
    """All rows of several sources, one after the other, under one schema."""

    _source: "Joined"

    def __init__(self, sources: Sequence[str], limit: int | None, skip: int = 0) -> None:
        self._sources = tuple(sources)
        if twice := named_twice(sources):
            raise UsageError(f"{twice}: named twice; its rows would be counted twice")
        super().__init__(", ".join(sources), Columns(), limit, ("prompt",), answers=False, skip=skip)
        answers = [pa.field(name, CONVERSATION) for name in ANSWERS if name in self._answers]
        own = pa.schema([*((name, pa.string()) for name in IDS), ("prompt", CONVERSATION), *answers])
        own = calling(own) if self.calls_tools else own
        self.schema = pa.schema([*own, *(f for f in self.carried if f.name not in (*ANSWERS, *IDS))])

    def whole(self) -> Iterator[WholeRow]:
        """Yield every row, in order."""
        return (row for block in self.blocks() for row in block.rows())

    def blocks(self) -> Iterator[Block]:
        """Yield all rows, in order. Rows that differ never have the same id, whatever their sources say."""
        ids = _Ids()
        for chunk in chunks_of(self._found()):
            yield self._of_plain(chunk, ids) if isinstance(chunk, Plain) else self._of_rows(chunk, ids)

    def _of_plain(self, rows: Plain, ids_of: "_Ids") -> Block:
        """Rows that are read at once."""
        answers, size, given = rows.answers, rows.size, rows.chunk.rows
        prompts = rows.prompt.json()
        said = [answers[name].json() if name in answers else "null" for name in ANSWERS]
        said = pc.binary_join_element_wise(prompts, *said, ",")
        ids = ids_of(self._given("row_id", given), hashes_of("[", said, "]"))
        prompt_ids = [
            str(own or made)
            for own, made in zip(self._given("prompt_id", given), hashes_of(prompts), strict=True)
        ]
        columns = {name: column.column for name, column in answers.items()} | {"prompt": rows.prompt.column}
        columns |= {"row_id": pa.array(ids, pa.string()), "prompt_id": pa.array(prompt_ids, pa.string())}
        names = {new: old for old, new in self._names.items()}
        arrays = [
            of_type(columns[f.name], f.type)
            if f.name in columns
            else rows.column(names.get(f.name, f.name), f.type)
            for f in self.schema
        ]
        wheres = [rows.chunk.where(place) for place in range(size)]
        return Block(wheres, pa.Table.from_arrays(arrays, schema=self.schema))

    def _given(self, name: str, rows: pa.RecordBatch) -> Sequence[Any]:
        """The ids that rows have already."""
        return rows.column(name).to_pylist() if name in rows.schema.names else [None] * rows.num_rows

    def _of_rows(self, rows: Sequence[Parsed], ids_of: "_Ids") -> Block:
        """Rows that are read one by one."""
        problems = {place: row.problem for place, row in enumerate(rows) if row.problem is not None}
        columns = [self._columns_of(row) for row in rows]
        sound = [place for place in range(len(rows)) if place not in problems]
        contents = [_content_of(columns[place], rows[place]) for place in sound]
        ids = ids_of([columns[place].get("row_id") for place in sound], contents)
        for place, row_id in zip(sound, ids, strict=True):
            columns[place]["row_id"] = row_id
        return Block([row.where for row in rows], as_table(columns, self.schema), problems)

    def _columns_of(self, row: Parsed) -> dict[str, Any]:
        """The columns of a row, with the id that its source gives it, if any."""
        if row.problem is not None:
            return passed_over(row.problem)
        columns = {"prompt": stored(row.prompt), **row.carried}
        columns["prompt_id"] = str(columns.get("prompt_id") or prompt_hash(row.prompt))
        return columns

    def _open(self, source: str) -> Source:
        return Joined([open_kept(name) for name in self._sources])

    def _chosen(self, names: list[str], wanted: Columns, answers: bool) -> tuple[Columns, list[str]]:
        """What is carried: what no source's prompt is read from, nor an answer or an id."""
        self._answers = tuple(name for name in ANSWERS if name in names)
        columns = find_columns(self._path, names, wanted, answers=False, own=self._source.own)
        beside = {*IDS, *self._answers, *columns.used}
        return columns, [n for n in names if n not in beside]

    def _ours(self) -> frozenset[str]:
        """Whole rows keep their columns under the names that they have."""
        return frozenset()

    def _found(self) -> Iterator[Plain | Parsed]:
        bad = count(1)
        each = partial(self._tried, read=self._one, bad=bad)
        return first_of(by_chunks(self._source.pieces(), self._plain, each), self._limit)

    def _plain(self, chunk: Chunk) -> Plain | None:
        names = chunk.rows.schema.names
        if self._source.schema is None or _may_be_others(names):  # types are learnt of each row
            return None
        answers = tuple(name for name in self._answers if name in names)
        columns = columns_of(chunk.where(0), names, self._wanted(answers), self._source.own_now())
        return plain(chunk, columns, answers)

    def _wanted(self, answers: tuple[str, ...]) -> Columns:
        return Columns(answers=answers, calls=True, padded=self._source.schema is not None)

    def _one(self, where: str, record: Record) -> list[Parsed]:
        """A row with its answers, of whichever source: each has columns of its own."""
        names = tuple(name for name in self._answers if record.get(name) is not None)
        columns = columns_of(where, list(record), self._wanted(names), self._source.own_now())
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


def passed_over(problem: str) -> dict[str, Any]:
    """Return the columns of a row that could not be read."""
    return {"row_id": content_hash(problem)[:16], "prompt_id": "", "prompt": []}


def _others(columns: Mapping[str, Any]) -> list[str]:
    """The columns of answers that are not ours: several, in a list or beside each other, or one alone."""
    return [name for name in _may_be_others(columns) if columns[name] is not None]


def _may_be_others(names: Iterable[str]) -> list[str]:
    """The same of columns, whatever stands in them."""
    there = [name for name in names if name not in PAIR]
    several = [name for name in dict.fromkeys((*LISTS, *sibling_columns(there))) if name in there]
    if several or any(name in names for name in ANSWERS):
        return several
    return [name for name in CONVENTION if name in there][:1]


def _content_of(columns: Mapping[str, Any], row: Parsed) -> str:
    """A hash of what a row says."""
    said = [columns["prompt"], *(columns.get(name) for name in ANSWERS)]
    if others := _others(columns):  # answers that are no column of ours, and what is said of them
        said += [[columns[name] for name in others], columns.get(LABELLED[-1])]
    beside = columns_beside(row.prompt)
    return content_hash([*said, beside] if beside else said)[:16]


class _Ids:
    """Ids of rows: those of their sources, or hashes of what they say where rows that differ share one."""

    def __init__(self) -> None:
        self._firsts, self._contents = Firsts(), array("Q")

    def __call__(self, given: Sequence[Any], contents: Sequence[str]) -> list[str]:
        own = [str(one or content) for one, content in zip(given, contents, strict=True)]
        firsts, numbers = self._firsts(map(_key, own)), [int(content, 16) for content in contents]
        self._contents.extend(numbers)
        return [
            row_id if self._contents[first] == number else content_hash([row_id, content])[:16]
            for row_id, content, number, first in zip(own, contents, numbers, firsts, strict=True)
        ]


def _key(row_id: str) -> bytes:
    """A key of 16 bytes: an id that has so many is its own."""
    return row_id.encode() if len(row_id) == 16 and row_id.isascii() else key_hash(row_id)
