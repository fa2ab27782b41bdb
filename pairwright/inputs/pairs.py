"""Preference pairs as people store them, read into one form.

`prompt` is text or messages; `chosen` and `rejected` are text, one assistant message, or the whole
conversation with the prompt repeated. Where the prompt ends is never guessed from what chosen and
rejected share: minimal revisions share their openings, and every loss but `dpo` would change.
Scored answers are pairs too: of the best and the worst to each prompt, of all, or of neighbours.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, islice, pairwise
from typing import Any, Literal, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.scored import RankedRow, is_scored, ranked_of
from pairwright.inputs.sources import open_source
from pairwright.records import Message, content_hash

PairsName = Literal["best_worst", "all", "adjacent"]


class PairRow(NamedTuple):
    """A prompt and two answers to it."""

    row_id: str
    prompt: tuple[Message, ...]
    chosen: Message
    rejected: Message
    margin: float | None = None
    """How far apart the answers are said to be; only reward models read it."""
    tied: bool = False
    """Whether two equal scores stand behind it, so that nothing is to be learnt from it."""


def read_pairs(
    sources: Iterable[str], limit: int | None = None, pairs: PairsName = "best_worst"
) -> Iterator[PairRow]:
    """The pairs of run folders, Parquet and JSONL files, one source after the other.

    `limit` is the most pairs in all, `pairs` which of them scored answers make. Raises `UsageError`
    for a row that is not a pair, naming it.
    """
    return islice(_all_pairs(sources, pairs), limit)


def _all_pairs(sources: Iterable[str], pairs: PairsName) -> Iterator[PairRow]:
    for source in sources:
        found = False
        for where, record in open_source(source):
            found = True
            if is_scored(record):
                for row in ranked_of(source):
                    yield from pairs_of_row(row, pairs)
                break
            yield parse_pair(record, where)
        if not found:
            raise UsageError(f"{source}: no pairs in it; if it is a run, none of its rows was kept")


def pairs_of_row(row: RankedRow, pairs: PairsName) -> Iterator[PairRow]:
    """The pairs that scored answers make: best over worst, every better over every worse, or each
    over the next. A row of one answer makes one pair, which is tied with itself."""
    places = range(len(row.answers))
    match pairs:
        case "all":
            chosen = list(combinations(places, 2))
        case "adjacent":
            chosen = list(pairwise(places))
        case _:
            chosen = []
    for better, worse in chosen or [(0, places[-1])]:
        name = row.row_id if pairs == "best_worst" else f"{row.row_id} {better + 1}>{worse + 1}"
        best, worst = (Message(role="assistant", content=row.answers[place]) for place in (better, worse))
        yield PairRow(name, row.prompt, best, worst, tied=row.scores[better] == row.scores[worse])


def parse_pair(record: Mapping[str, Any], where: str) -> PairRow:
    """One row. Raises `UsageError` that begins with `where` and names the column."""
    prompt = _messages(record, "prompt", where, role="user")
    chosen = _answer(record, "chosen", where, prompt)
    rejected = _answer(record, "rejected", where, prompt)
    row_id = record.get("row_id") or content_hash(
        [[m.model_dump() for m in prompt], chosen.content, rejected.content]
    )
    return PairRow(str(row_id), prompt, chosen, rejected, _margin(record.get("margin"), where))


def _margin(value: Any, where: str) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise UsageError(f"{where}: `margin` must be a number, and is {value!r}")


def _answer(record: Mapping[str, Any], column: str, where: str, prompt: tuple[Message, ...]) -> Message:
    messages = _messages(record, column, where, role="assistant")
    if len(messages) > 1 and messages[:-1] == prompt:
        messages = messages[-1:]
    if len(messages) > 1:
        raise UsageError(
            f"{where}: `{column}` has {len(messages)} messages and does not begin with `prompt`; "
            "give the answer alone, or after exactly the same messages"
        )
    if messages[0].role != "assistant":
        raise UsageError(
            f"{where}: `{column}` is a message of {messages[0].role!r}; an answer is of 'assistant'"
        )
    return messages[0]


def _messages(record: Mapping[str, Any], column: str, where: str, *, role: str) -> tuple[Message, ...]:
    value = record.get(column)
    if value is None or value == []:
        guess = "; it is not guessed from what the answers share" if column == "prompt" else ""
        there = ", ".join(f"`{name}`" for name in record)
        raise UsageError(f"{where}: no `{column}`{guess}; the columns are {there}")
    if isinstance(value, str):
        return (Message(role=role, content=value),)
    try:
        return tuple(Message(role=m["role"], content=m["content"]) for m in value)
    except (TypeError, KeyError, ValueError):
        raise UsageError(
            f"{where}: `{column}` must be text or a list of messages with `role` and `content`"
        ) from None
