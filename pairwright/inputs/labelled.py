"""Single answers that are labelled as desirable or not: unpaired preferences, as TRL's KTO has them.

A row has `prompt`, `completion` and `label` (true: desirable); the whole conversation may stand in
`completion` too.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.beside import calls_of
from pairwright.inputs.columns import PAIR, Columns, absent, columns_of, row_weight
from pairwright.inputs.messages import last_of, thought_of
from pairwright.inputs.prompt_and_answers import parse_answers
from pairwright.inputs.source import Record, tolerated
from pairwright.inputs.sources import open_source
from pairwright.records import Message, content_hash

ANSWER, LABEL = "completion", "label"


class LabelledRow(NamedTuple):
    """A prompt and one answer to it."""

    row_id: str
    prompt: tuple[Message, ...]
    answer: Message
    label: bool
    """Whether the answer is desirable."""
    weight: float = 1.0
    """How much it counts."""
    columns: Mapping[str, Any] = MappingProxyType({})
    """The row as it was read, for functions that judge it."""


def are_labelled(sources: Iterable[str]) -> bool:
    """Return whether the first row of any source is a labelled single answer, and not a pair."""
    return any(_is_labelled(record) for source in sources for record in islice(_records(source), 1))


def read_labelled(
    sources: Iterable[str], limit: int | None = None, skip: int = 0
) -> Iterator[LabelledRow | UsageError]:
    """Yield the labelled answers of runs, files and data sets in turn, at most `limit`.

    For up to `skip` rows without a label, or of another kind, the error is yielded; one more raises it.
    """
    rows = (row for source in sources for row in _labelled_of(source))
    return islice(tolerated(rows, skip), limit)


def _labelled_of(name: str) -> Iterator[LabelledRow | UsageError]:
    source = open_source(name)
    for where, record in source.readable():
        if isinstance(record, UsageError):
            yield record
            continue
        try:
            yield parse_labelled(record, where, source.own, padded=source.schema is not None)
        except UsageError as error:
            yield error


def parse_labelled(
    record: Record, where: str, own: frozenset[str] | None = None, *, padded: bool = False
) -> LabelledRow:
    """Return one row. Raises `UsageError` that begins with `where` and names the column.

    `own` are the columns of a run of ours that are the run's; `padded` is as for `calls_of`.
    """
    if not _is_labelled(record):
        missing = ANSWER if record.get(ANSWER) is None else LABEL
        if missing in record:
            raise absent(record, missing, where)
        raise UsageError(
            f"{where}: no `{missing}`; an unpaired row has `prompt`, `{ANSWER}` and `{LABEL}`, and pairs "
            "stand in files of their own"
        )
    wanted = Columns(answers=(ANSWER,), thoughts=True, calls=True, padded=padded)
    columns = columns_of(where, list(record), wanted, own)
    prompt, said = parse_answers(record, columns, (ANSWER,), where)
    thought = thought_of(record[ANSWER], f"{where}: `{ANSWER}`")
    calls = calls_of(last_of(record[ANSWER]), f"{where}: `{ANSWER}`", padded=padded)
    answer = Message(role="assistant", content=said[ANSWER] or "", reasoning=thought, tool_calls=calls)
    label = _label(record[LABEL], where)
    row_id = record.get("row_id") or content_hash(
        [[m.model_dump() for m in prompt], answer.further if calls else answer.content, label]
    )
    return LabelledRow(str(row_id), prompt, answer, label, row_weight(record, where, own), record)


def _is_labelled(record: Record) -> bool:
    return all(record.get(name) is not None for name in (ANSWER, LABEL)) and not set(PAIR) & set(record)


def _label(value: object, where: str) -> bool:
    if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
        return bool(value)
    raise UsageError(f"{where}: `{LABEL}` must be true or false, and is {value!r}")


def _records(name: str) -> Iterator[Record]:
    return (record for _, record in open_source(name).readable() if not isinstance(record, UsageError))
