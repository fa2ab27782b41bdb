"""Rows of work: prompts and answers, identified by content and not by place."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import count, islice
from typing import Any, ClassVar

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.folders.manifest import InputInfo
from pairwright.folders.ownership import RESERVED
from pairwright.inputs.beside import SHOWN, text_of
from pairwright.inputs.carried import READ_BY_NAME, CarriedTypes, as_json, fields_of, free_names
from pairwright.inputs.columns import ANSWERS, Columns, find_columns, perhaps_meant, sibling_columns
from pairwright.inputs.conversations import Plain, chunks_of
from pairwright.inputs.groups import Occurrences
from pairwright.inputs.lists import Listed, answers_in, list_among, model_of
from pairwright.inputs.prompt_and_answers import parse_answers, parse_row
from pairwright.inputs.row import Candidate, Parsed, Row, thought_beside
from pairwright.inputs.source import Record, Source
from pairwright.inputs.sources import open_source
from pairwright.inputs.transcripts import is_transcript
from pairwright.inputs.turns import each_turn
from pairwright.records import Message, content_hash, prompt_hash
from pairwright.schema import STATUS


class Input:
    """A validated input: every row was looked at once before any work starts.

    `reserved` names the columns that we write ourselves; `keep` those that shards of a folder which is
    continued have already. With `answers` off no column of answers is read; if there is one, it is
    carried through. Up to `skip` rows that cannot be read are passed over, as rows with a problem; where
    `wanting` says what a row without an answer lacks, it is one of these.
    """

    carried: list[pa.Field]
    """The other columns, under the names and types they are written with."""
    reading: dict[str, Any]
    """How rows are read that could be read in another way, and once were: part of what a run is."""
    renamed: dict[str, str]
    """Columns of the user's with names of ours, and the names they are carried under."""
    limit_counts_rows: ClassVar[bool] = True
    """Whether a row of work is one row of the source."""
    has_answers: bool = False
    """Whether any row has an answer, wherever it stands."""
    bad: list[str]
    """What is wrong with the rows that are passed over."""
    perhaps_meant: tuple[str, ...]
    """Columns that are carried along and may have been meant as part of the prompt."""
    calls_tools: bool = False
    """Whether messages may call tools, so that columns of messages have room for it."""

    def __init__(
        self,
        source: str,
        columns: Columns,
        limit: int | None,
        reserved: Iterable[str] = (),
        *,
        answers: bool = True,
        skip: int = 0,
        keep: Collection[str] = (),
        wanting: str | None = None,
    ) -> None:
        self._path = source
        self._source = self._open(source)
        self._limit = limit
        self._skip, self._wanting = skip, wanting
        self._turn, self._asked = columns.turn, not answers
        columns = columns._replace(padded=self._source.schema is not None)
        self._columns, rest = self._chosen(self._column_names(), columns, answers)
        shown = {column: name for name, column in self._columns.shown}
        taken = {*reserved, *(f.name for f in STATUS), *SHOWN}
        rest = [name for name in rest if name not in shown]
        self._names = shown | free_names(rest, taken, self._ours(), keep)
        foreign = self._source.own is None
        self.renamed = {old: new for old, new in self._names.items() if old != new and foreign}
        self.perhaps_meant = perhaps_meant(self._columns, rest) if foreign else ()
        self._given_names = {new: old for old, new in self._names.items() if old != new}
        self.reading = self._read_as()
        self._as_text: frozenset[str] = frozenset()
        self._occurrences = Occurrences()
        rows = self._survey()
        if not rows:
            raise UsageError(f"{source}: no rows in it; there is nothing to do")
        self.info = InputInfo(path=source, sha256=input_sha256(self._source, limit), rows=rows)

    def _open(self, source: str) -> Source:
        return open_source(source)

    @property
    def columns(self) -> list[str]:
        """The input's own names of the columns that are carried."""
        return list(self._names)

    def require_column(self, name: str, who: str) -> None:
        """Raise `UsageError` naming the columns that are there, unless `name` is one of them."""
        if name not in self.columns:
            there = ", ".join(f"`{column}`" for column in self.columns) or "none beside prompts and answers"
            raise UsageError(f"{self.info.path}: no column `{name}`, and {who}; there are: {there}")

    def __iter__(self) -> Iterator[Row]:
        return (row for _, row in self.rows())

    def rows(self, wanted: Callable[[int], bool] = lambda _: True) -> Iterator[tuple[int, Row]]:
        """Yield the rows whose places (counted from 0) are wanted, each with its place."""
        before = self._occurrences.counter()
        for place, parsed in enumerate(self._parsed()):
            occurrence = before(parsed.content)
            if wanted(place):
                yield place, self._identified(parsed, occurrence)

    def _identified(self, parsed: Parsed, occurrence: int) -> Row:
        """A row with its identities, or one that is passed over."""
        if parsed.problem is None:
            return self._row(parsed, occurrence)._replace(given=self._given_names)
        row_id = content_hash([parsed.problem, occurrence])[:16]
        return Row(row_id, "", occurrence, (), None, {}, problem=parsed.problem)

    def _row(self, parsed: Parsed, occurrence: int) -> Row:
        """A row with its identities; `occurrence` equal ones came before."""
        prompt_id = prompt_hash(parsed.prompt, whole=True)
        row_id = content_hash([prompt_id, parsed.answer, occurrence])
        identity = (row_id[:16], prompt_id[:16], occurrence)
        row = Row(*identity, parsed.prompt, parsed.answer, parsed.carried, parsed.candidates)
        return row._replace(reasoning=parsed.reasoning)

    def _parsed(self) -> Iterator[Parsed]:
        return self._tried(self._records(), self._of_record)

    def _of_record(self, where: str, record: Record) -> list[Parsed]:
        """The rows of a record, all of them with an answer where that is wanted."""
        several = self._columns.list or self._columns.answers
        found = self._each(where, record) if several else self._one(where, record)
        if self._wanting and (without := next((row for row in found if row.answer is None), None)):
            raise UsageError(f"{without.where}: {self._wanting}")
        return found

    def _found(self) -> Iterator[Plain | Parsed]:
        """All rows: chunks of plain ones, and each other one."""
        return self._parsed()

    def _records(self) -> Iterator[tuple[str, Record | UsageError]]:
        """The records that are read, and what is wrong with those that cannot be."""
        return islice(self._source.readable(), self._limit if self.limit_counts_rows else None)

    def _one(self, where: str, record: Record) -> list[Parsed]:
        """A row with its answer, or one for each turn that is asked for."""
        prompt, answer = parse_row(record, self._columns, where)
        rest = self._rest(record)
        turns = each_turn(where, prompt, answer, self._turn, asked=self._asked)
        thought = thought_beside(record, self._columns.answer, self._source.own)
        return [
            Parsed(place, said, given, rest, reasoning=thought if given is answer else None)
            for place, said, given in turns
        ]

    def _each(self, where: str, record: Record) -> list[Parsed]:
        """A row for each answer of several, and for each turn before it that is asked for."""
        prompt, listed = self._several(where, record)
        rest = self._rest(record)
        ends = [(n, one) for n, one in enumerate(listed, start=1) if one is not None]
        found: list[Parsed] = []
        for place, said, given in each_turn(where, prompt, ends or None, self._turn, asked=self._asked):
            if given is None or isinstance(given, str):
                found.append(Parsed(place, said, given, rest))
                continue
            found += [
                Parsed(f"{place} answer {n}", said, one.text, rest, (Candidate(one.text, one.model),))
                for n, one in given
            ]
        return found

    def _several(self, where: str, record: Record) -> tuple[tuple[Message, ...], list[Listed | None]]:
        """The answers of a row, in one list or in columns beside each other."""
        if column := self._columns.list:
            prompt, _ = parse_row(record, self._columns, where)
            return prompt, answers_in(record.get(column), record, column, where)
        names = self._columns.answers
        prompt, said = parse_answers(record, self._columns, names, where)
        texts = ((name, said[name]) for name in names)
        return prompt, [None if text is None else Listed(text, model_of(n, record)) for n, text in texts]

    def _tried(
        self,
        records: Iterable[tuple[str, Record | UsageError]],
        read: Callable[[str, Record], Parsed | list[Parsed]],
        bad: Iterator[int] | None = None,
    ) -> Iterator[Parsed]:
        """Every record read; one that cannot be raises, or becomes a row with a problem, `bad` counting."""
        bad = bad or count(1)
        for where, record in records:
            try:
                if isinstance(record, UsageError):
                    raise record
                found = read(where, record)
            except UsageError as error:
                self._refuse_more_than_allowed(next(bad), error)
                found = Parsed(where, (), None, {}, problem=str(error))
            yield from found if isinstance(found, list) else (found,)

    def _refuse_more_than_allowed(self, bad: int, error: UsageError) -> None:
        """Raise the error of the first bad row that is one too many."""
        if bad > self._skip:
            more = (
                f" (bad row {bad}, and --skip_bad_rows {self._skip} allows no more)" if self._skip else ""
            )
            raise UsageError(f"{error}{more}") from None

    def _survey_plain(self, rows: Plain) -> None:
        """Take in rows of the first pass that are read at once."""

    def _column_names(self) -> list[str]:
        """Columns of the source. JSON has no schema: every record may bring new ones."""
        if self._source.schema is not None:
            return list(self._source.schema.names)
        found: dict[str, None] = {}
        bad = 0
        for _, record in self._records():
            if isinstance(record, UsageError):
                bad += 1
                self._refuse_more_than_allowed(bad, record)
            else:
                found |= dict.fromkeys(record)
        return list(found)

    def _chosen(self, names: list[str], wanted: Columns, answers: bool) -> tuple[Columns, list[str]]:
        """The columns to read, and those to carry through. Answers may stand in one list."""
        if answers and not (wanted.answer or wanted.answers or wanted.list or set(ANSWERS) & set(names)):
            known = [n for n in names if self._source.own is None or n in self._source.own]
            wanted = wanted._replace(list=list_among(self._source, known))
            if wanted.list is None:
                wanted = wanted._replace(answers=sibling_columns(known))
        columns = find_columns(self._path, names, wanted, answers=answers, own=self._source.own)
        return columns, [n for n in names if n not in columns.used]

    def _ours(self) -> frozenset[str]:
        """Names under which nothing of the source is carried, whatever the stage."""
        return RESERVED if self._source.own is None else READ_BY_NAME

    def _read_as(self) -> dict[str, Any]:
        """What is read as part of the prompt beside its column, and once was carried along only."""
        found: dict[str, Any] = {}
        shown = [name for name in self._columns.beside if name != "input"]
        if shown:
            found["shown in the prompt"] = shown
        _, first = next(iter(self._records()), ("", {}))
        text = first.get(self._columns.prompt or "") if not isinstance(first, UsageError) else None
        if isinstance(text, str) and is_transcript(text):
            found["transcripts"] = "split into turns"
        return found

    def _rest(self, record: Record) -> dict[str, Any]:
        """The other columns of a record."""
        carried = {self._names[n]: value for n, value in record.items() if n in self._names}
        for name, column in self._columns.shown:
            if name in _AS_TEXT:
                carried[name] = text_of(record.get(column), name, column, self._columns.padded)
        for name in self._as_text & carried.keys():
            carried[name] = as_json(carried[name])
        return carried

    def _survey(self) -> int:
        """Count the rows, check each one, and find the types of the carried columns."""
        types = CarriedTypes(self._given_names, self._source.known)
        schema, size, self.bad = self._source.schema, 0, []
        for chunk in chunks_of(self._found()):
            if isinstance(chunk, Plain):
                size += chunk.size
                self._survey_plain(chunk)
                continue
            size += len(chunk)
            for row in chunk:
                self._occurrences.survey(row.content)
                self.calls_tools |= any(m.tool_calls or m.role == "tool" for m in row.prompt)
            self.has_answers |= any(row.answer is not None for row in chunk)
            self.bad += [row.problem for row in chunk if row.problem is not None]
            if schema is None:
                types.learn([(row.where, row.carried) for row in chunk])
        if types.widened:  # of a source without a schema, which has no chunks of plain rows
            for chunk in chunks_of(self._parsed()):
                types.check([(row.where, row.carried) for row in chunk if isinstance(row, Parsed)])
        if schema is None:
            self.carried, self._as_text = types.fields(), types.as_text()
        else:
            self.carried, self._as_text = fields_of(schema, self._names, _AS_TEXT, self._path)
        self.calls_tools |= any(name == "tools" for name, _ in self._columns.shown)
        return size


def input_sha256(source: Source, limit: int | None) -> str:
    """Return the hash of the first `limit` rows: of what they are read from, and of the limit."""
    return hashlib.sha256(json.dumps([source.sha256(), limit]).encode()).hexdigest()


_AS_TEXT = ("tools", "documents")
"""Columns that are carried as JSON text, of which Arrow adds no nulls."""
