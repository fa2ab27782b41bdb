"""Inputs whose rows of work are a prompt with all answers to it."""

import logging
import unicodedata
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, groupby, islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pairwright.engines.thoughts import Marks, part
from pairwright.inputs.columns import Columns, sibling_columns
from pairwright.inputs.conversations import Plain, by_chunks, chunks_of, first_of, hashes_of, plain
from pairwright.inputs.groups import Groups, Member, Spill
from pairwright.inputs.lists import answers_in, list_among, model_of, models_beside
from pairwright.inputs.prompt_and_answers import parse_answers, parse_row
from pairwright.inputs.row import Candidate, Parsed, Row, thought_beside
from pairwright.inputs.rows import Input
from pairwright.inputs.source import Chunk, Record
from pairwright.inputs.turns import each_turn
from pairwright.records import content_hash, prompt_hash
from pairwright.schema import ANSWER

log = logging.getLogger(__name__)


class PlainRows(NamedTuple):
    """Plain rows with their identities."""

    plain: Plain
    row_ids: Sequence[str]
    prompt_ids: Sequence[str]
    given: Mapping[str, str]
    """The input's own names of carried columns that have others here."""

    @property
    def size(self) -> int:
        """How many there are."""
        return self.plain.size

    def part(self, start: int, size: int) -> "PlainRows":
        """Return some of the rows."""
        end = start + size
        ids = self.row_ids[start:end], self.prompt_ids[start:end]
        return PlainRows(self.plain.part(start, size), *ids, self.given)

    def carried(self, name: str, kind: pa.DataType) -> pa.Array:
        """Return a column that is carried along."""
        return self.plain.column(self.given.get(name, name), kind)

    def models(self, column: str) -> pa.Array:
        """Return the model that wrote each answer of a column."""
        rows = self.plain.chunk.rows
        beside = [name for name in models_beside(column) if name in rows.schema.names]
        if not beside:
            return pa.array([column] * self.size, pa.string())
        records = rows.select(beside)
        return pa.array([model_of(column, record) or column for record in records.to_pylist()], pa.string())


class Candidates(Input):
    """Prompts, each with its candidates.

    They stand side by side (`--columns a,b`, or columns such as `response_a` and `response_b`), in one
    list, or in rows of one answer that have the same prompt, wherever those stand. `limit` counts
    prompts.
    """

    limit_counts_rows = False
    joins_lists = False
    """Whether lists of one prompt are put together too."""
    _groups: Groups | None = None
    _spill: Spill | None = None

    @property
    def side_by_side(self) -> bool:
        """Whether each row of the source holds all answers to its prompt."""
        return bool(self._columns.answers or (self._columns.list and not self.joins_lists))

    def _chosen(self, names: list[str], wanted: Columns, answers: bool) -> tuple[Columns, list[str]]:
        """The columns to read; of grouped rows, what belongs to one answer alone is not carried."""
        own = self._source.own
        known = [n for n in names if own is None or n in own]
        if not wanted.answers and wanted.answer is None:
            wanted = wanted._replace(answers=sibling_columns(known))
            if not wanted.answers:
                wanted = wanted._replace(list=list_among(self._source, known))
        elif len(wanted.answers) == 1 and list_among(self._source, wanted.answers):
            wanted = wanted._replace(answers=(), list=wanted.answers[0])
        columns, rest = super()._chosen(names, wanted, answers)
        beside = columns.answers or columns.list
        return columns, rest if beside else [n for n in rest if n not in ANSWER.names]

    def _row(self, parsed: Parsed, occurrence: int) -> Row:
        prompt_id = prompt_hash(parsed.prompt)
        row_id = content_hash([prompt_id, [c.text for c in parsed.candidates], occurrence])[:16]
        return Row(row_id, prompt_id, occurrence, parsed.prompt, None, parsed.carried, parsed.candidates)

    def _parsed(self) -> Iterator[Parsed]:
        whole = self._listed if self._columns.list else self._wide
        read = self._tried(self._records(), lambda where, record: self._at_turns(whole(where, record)))
        return islice(read if self.side_by_side else self._grouped(), self._limit)

    def _found(self) -> Iterator[Plain | Parsed]:
        if not (self._columns.answers and self._source.schema and self._turn is None):
            return self._parsed()
        bad, columns = count(1), self._columns
        found = by_chunks(
            self._source.pieces(),
            lambda chunk: None if self._has_thoughts(chunk) else plain(chunk, columns, columns.answers),
            lambda records: self._tried(records, self._wide, bad),
        )
        return first_of(found, self._limit)

    def _has_thoughts(self, chunk: Chunk) -> bool:
        """Whether a run of ours holds a thought beside any answer of a chunk."""
        names = {f"{name}_reasoning" for name in self._columns.answers} & set(chunk.rows.schema.names)
        return self._source.own is not None and any(
            chunk.rows.column(name).null_count < chunk.rows.num_rows for name in names
        )

    def _survey_plain(self, rows: Plain) -> None:
        for content in _contents(rows):
            self._occurrences.survey(content)

    def chunks(self) -> Iterator[PlainRows | list[Row]]:
        """Yield all rows: chunks of plain ones, and the rows between them."""
        before = self._occurrences.counter()
        for chunk in chunks_of(self._found()):
            if isinstance(chunk, Plain):
                occurrences = [before(content) for content in _contents(chunk)]
                yield PlainRows(chunk, *_identities(chunk, occurrences), self._given_names)
            else:
                yield [self._identified(row, before(row.content)) for row in chunk]

    def _wide(self, where: str, record: Record) -> Parsed:
        """A row with the answers in its columns, without empty ones."""
        names = self._columns.answers
        prompt, texts = parse_answers(record, self._columns, names, where)
        found = ((name, texts[name]) for name in names)
        candidates = [
            Candidate(text, model_of(n, record) or n, n, thought_beside(record, n, self._source.own))
            for n, text in found
            if text is not None
        ]
        return Parsed(where, prompt, None, self._rest(record), tuple(candidates))

    def _listed(self, where: str, record: Record) -> Parsed:
        """A row with the answers in one list."""
        column = self._columns.list or ""
        prompt, _ = parse_row(record, self._columns, where)
        listed = answers_in(record.get(column), record, column, where)
        candidates = tuple(Candidate(found.text, found.model) for found in listed if found)
        return Parsed(where, prompt, None, self._rest(record), candidates)

    def _at_turns(self, row: Parsed) -> list[Parsed]:
        """The row, or one for each turn that is asked for.

        All candidates answer the last turn; each earlier turn has the answer in the conversation.
        """
        turns = each_turn(row.where, row.prompt, row.candidates or None, self._turn, asked=False)
        given = ((w, said, (Candidate(end),) if isinstance(end, str) else end) for w, said, end in turns)
        return [row._replace(where=w, prompt=said, candidates=ends or ()) for w, said, ends in given]

    def _grouped(self) -> Iterator[Parsed]:
        """The rows of one prompt, in the place and with the other columns of the first."""
        if self._groups is None:
            self._groups = self._found_groups()
            if self._groups.scattered:
                self.reading["answers to a prompt"] = "from the whole input"
                rows = enumerate(self._ungrouped())
                self._spill = Spill(
                    (self._groups.first(place), m) for place, row in rows for m in _members(row)
                )
            elif self._columns.list and self._groups.count < self._groups.rows:
                self.reading["answers to a prompt"] = "from several lists"
        return self._gathered(self._groups, self._spill) if self._spill else self._neighbours()

    def _found_groups(self) -> Groups:
        """The rows of each prompt; says how many prompts are nearly another."""
        alike = array("q")

        def keys() -> Iterator[object]:
            for row in self._ungrouped():
                alike.append(hash(_alike(row)))
                yield _group_of(row)

        groups = Groups(keys())
        if nearly := groups.count - Groups(alike).count:
            log.warning(
                "%s: %d prompts differ from others in white space or Unicode's forms alone; their answers "
                "are not put together",
                self._path,
                nearly,
            )
        return groups

    def _ungrouped(self) -> Iterator[Parsed]:
        """Every row with its one answer, or its list of them."""
        if not self._columns.list:
            return self._tried(self._records(), self._with_model)
        return self._tried(
            self._records(), lambda where, record: self._at_turns(self._listed(where, record))
        )

    def _with_model(self, where: str, record: Record) -> list[Parsed]:
        model = _text(record.get("completion_model"))
        found = self._one(where, record)
        given = [
            () if row.answer is None else (Candidate(row.answer, model, reasoning=row.reasoning),)
            for row in found
        ]
        return [
            row._replace(answer=None, candidates=some, reasoning=None)
            for row, some in zip(found, given, strict=True)
        ]

    def _neighbours(self) -> Iterator[Parsed]:
        for _, group in groupby(self._ungrouped(), key=_group_of):
            rows = list(group)
            yield rows[0]._replace(candidates=tuple(c for row in rows for c in row.candidates))

    def _gathered(self, groups: Groups, spill: Spill) -> Iterator[Parsed]:
        met: set[str] = set()  # of groups whose number another has too, which is next to never
        for place, row in enumerate(self._ungrouped()):
            first, key = groups.first(place), _key(row)
            if place != first and (key in met or key == _key_at(spill, first)):
                continue
            if place != first:
                met.add(key)
            members = (m for m in spill.members(first) if m.key == key and m.text is not None)
            found = (Candidate(m.text or "", m.model, reasoning=m.reasoning) for m in members)
            yield row._replace(candidates=tuple(found))


class JoinedLists(Candidates):
    """The same, where lists of one prompt are one row of work: nothing else is told of each."""

    joins_lists = True


def _identities(rows: Plain, occurrences: Sequence[int]) -> tuple[list[str], list[str]]:
    """The ids that `Candidates._row` gives to rows and prompts, of many at once."""
    prompt_ids = hashes_of(rows.prompt.json())
    ids, counts = pa.array(prompt_ids, pa.string()), pa.array(map(str, occurrences), pa.string())
    answers = pc.binary_join_element_wise(*(column.escaped for column in rows.answers.values()), '","')
    return hashes_of('["', ids, '",["', answers, '"],', counts, "]"), prompt_ids


def _contents(rows: Plain) -> Iterator[tuple[str | None, ...]]:
    """`Parsed.content` of each row."""
    answers = zip(*(column.texts for column in rows.answers.values()), strict=True)
    return ((*said, None, *texts) for said, texts in zip(rows.prompt.said(), answers, strict=True))


def without_thought(candidate: Candidate, marks: Sequence[Marks]) -> Candidate:
    """Return the candidate with its thought, if its text begins with one, beside its answer."""
    found = part(candidate.text, marks)
    return candidate._replace(text=found.answer, reasoning=candidate.reasoning or found.thought)


def _group_of(row: Parsed) -> object:
    """What rows of one prompt have in common; a bad row is with no other."""
    return row.prompt if row.problem is None else (row.where, row.problem)


def _alike(row: Parsed) -> object:
    """What nearly equal prompts have in common."""
    if row.problem is not None:
        return (row.where, row.problem)
    return tuple((m.role, " ".join(unicodedata.normalize("NFKC", m.content).split())) for m in row.prompt)


def _key(row: Parsed) -> str:
    return prompt_hash(row.prompt, whole=True) if row.problem is None else f"{row.where} {row.problem}"


def _members(row: Parsed) -> Iterator[Member]:
    """What a row adds to its group: its answers, or none."""
    key = _key(row)
    for answer in row.candidates or (None,):
        yield Member(key, answer and answer.text, answer and answer.model, answer and answer.reasoning)


def _key_at(spill: Spill, first: int) -> str:
    """The key of the first member of a group."""
    return next(spill.members(first)).key


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
