"""Scored or ranked answers: all answers to a prompt, best first.

They stand in rows of one answer, each with its `score` or `rank`, as `pairwright score` writes them;
or all in one row, as a list `completions` beside lists `scores` or `ranks`, of objects that have their
own, or alone, best first; or as two answers and which of them somebody prefers. What one row says of its
answers is not compared with what another one says: only single answers to one prompt belong together.
"""

import logging
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.columns import LABELLED, PAIR, Columns, absent, columns_of, listed, row_weight
from pairwright.inputs.lists import answers_in, refuse_steps
from pairwright.inputs.prompt_and_answers import Prompt, parse_row
from pairwright.inputs.source import CHUNK, Record, Source, tolerated
from pairwright.inputs.sources import open_kept
from pairwright.records import Message

log = logging.getLogger(__name__)

LIST = "completions"
BESIDE = ("scores", "ranks")
"""Columns that say of the answers in the list, one by one, how good they are."""
MEMBERS = "member_scores"
"""Column of what each of several reward models says, which `pairwright score` writes."""


_LABELS: dict[str, int | None] = {
    **dict.fromkeys(("1", "1.0", "a", "response_a"), 0),
    **dict.fromkeys(("2", "2.0", "b", "response_b"), 1),
    **dict.fromkeys(("0", "0.0", "1.5", "tie")),
}
"""Which answer a label prefers; tables hold text."""


class RankedRow(NamedTuple):
    """A prompt and the answers to it, best first; of equal scores the one that stands first."""

    row_id: str
    """Of the best answer's row."""
    prompt: tuple[Message, ...]
    answers: tuple[str, ...]
    scores: tuple[float, ...]
    """Greater is better: a rank is its negative."""
    weights: tuple[float, ...]
    """How much the row of each answer counts."""
    members: tuple[tuple[float, ...], ...] = ()
    """What each of several reward models says of each answer, where all answers have as many of them."""

    @property
    def weight(self) -> float:
        """How much the prompt counts: as its best answer does."""
        return self.weights[0]


def is_scored(record: Record, own: frozenset[str] | None = None) -> bool:
    """Return whether a record is an answer with its score or rank, or a list of them, and no pair.

    `own` are the columns of a run of ours that are the run's.
    """
    names = [name for name in ("score", "rank", LIST) if own is None or name in own]
    found = any(record.get(name) is not None for name in names) or _is_labelled(record, own)
    return found and "chosen" not in record


def holds_scores(source: Source) -> str | None:
    """Return where the first scored answers of a source stand; None where its rows are others."""
    records = ((where, r) for where, r in source.readable() if not isinstance(r, UsageError))
    for where, record in islice(records, CHUNK):
        if source.partly or is_scored(record, source.own):
            return where
        if any(record.get(name) is not None for name in PAIR):
            break
    return None


def _is_labelled(record: Record, own: frozenset[str] | None = None) -> bool:
    """Whether a record is two answers, of which somebody prefers one."""
    return all(name in record and (own is None or name in own) for name in LABELLED)


def preferred(value: Any, where: str, names: Sequence[str] = LABELLED) -> int | None:
    """Return which of two answers a label prefers, 0 or 1; None for a tie.

    `names` are their columns. Raises `UsageError` for what is no label.
    """
    if not isinstance(value, bool) and (label := str(value).lower()) in _LABELS:
        return _LABELS[label]
    raise UsageError(
        f"{where}: `{LABELLED[-1]}` is {value!r}; it must be 1 (`{names[0]}`), 2 (`{names[1]}`), "
        "or 0 or 1.5 for a tie"
    )


def read_ranked(
    sources: Iterable[str], limit: int | None = None, skip: int = 0
) -> Iterator[RankedRow | UsageError]:
    """Yield the prompts of sources in order of first appearance, without blank answers.

    For up to `skip` rows without a score, or with one that is not finite, the error is yielded; one more
    raises it.
    """
    rows = (row for source in sources for row in ranked_of(source))
    return islice(tolerated(rows, skip), limit)


def ranked_of(source: str, *, weights: bool = True) -> Iterator[RankedRow | UsageError]:
    """Yield the prompts of one source, all of whose rows have the same kind of score or rank.

    Before them come the errors of rows that cannot be read. The column `weight` is read where `weights` are
    wanted; else all count 1.
    """
    prompts: dict[Hashable, list[tuple[float, str, str, float, tuple[float, ...]]]] = {}
    asked: dict[Hashable, tuple[Message, ...]] = {}
    way: str | None = None
    opened = open_kept(source)
    unscored, blank, best_first = 0, 0, False
    for where, record in opened.readable():
        if isinstance(record, UsageError):
            yield record
            continue
        if opened.partly and record.get("score") is None:
            unscored += 1
            continue
        way = way or _way(record)
        row_id = str(record.get("row_id") or where)
        try:
            weight = row_weight(record, where, opened.own) if weights else 1.0
            said = _members(record, where) if way == "score" else ()
            answers = list(_read(record, way or _named(record), where, opened.own))
        except UsageError as error:
            yield error
            continue
        best_first = best_first or (way == LIST and not _are_objects(record[LIST]))
        blank += sum(text is None for _, _, text in answers)
        for score, prompt, text in answers:
            if text is not None:
                group: Hashable = (prompt, None if way in ("score", "rank") else where)
                asked[group] = prompt
                prompts.setdefault(group, []).append((score, text, row_id, weight, said))
    if unscored:
        log.warning("%s: %d answers have no rank among others, and are in no pair", source, unscored)
    if blank:
        log.warning("%s: %d scored answers are empty, and are in no pair", source, blank)
    if best_first:
        log.warning("%s: `%s` stand without `scores` or `ranks`, and are read as best first", source, LIST)
    for group, found in prompts.items():
        ranked = sorted(found, key=lambda answer: -answer[0])
        scores, texts, row_ids, counts, members = zip(*ranked, strict=True)
        whole = len(set(map(len, members))) == 1 and members[0]
        yield RankedRow(row_ids[0], asked[group], texts, scores, counts, members if whole else ())


def _members(record: Record, where: str) -> tuple[float, ...]:
    """What each of several reward models says of the answer of a row."""
    value = record.get(MEMBERS)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise UsageError(f"{where}: `{MEMBERS}` is not a list of numbers, one of each reward model")
    return tuple(_score(score, MEMBERS, where) for score in value)


def _way(record: Record) -> str | None:
    """The column that says what is better; None where the record does not tell."""
    if _is_labelled(record):
        return LABELLED[-1]
    if record.get(LIST) is None:
        return next((name for name in ("score", "rank") if record.get(name) is not None), None)
    return next((name for name in BESIDE if record.get(name) is not None), LIST)


def _named(record: Record) -> str:
    """The column that would say what is better, of a record that has nothing in it."""
    return next((name for name in (LIST, "score", "rank") if name in record), "score")


def _read(
    record: Record, way: str, where: str, own: frozenset[str] | None
) -> Iterator[tuple[float, Prompt, str | None]]:
    """The answers of a row, each with its score and its prompt; None for an empty one."""
    for score, answer in _answers(record, way, where):
        if way in ("score", "rank"):
            found = parse_row(record, columns_of(where, list(record), Columns(), own), where)
        else:
            rest = {n: v for n, v in record.items() if n not in (LIST, *LABELLED)}
            one = rest | {"completion": answer}
            found = parse_row(one, columns_of(where, list(one), Columns(answer="completion"), own), where)
        yield score, *found


def _answers(record: Record, way: str, where: str) -> Iterator[tuple[float, Any]]:
    """The answers of a row, each with its score; in a row of one answer that is read elsewhere."""
    if "chosen" in record or record.get(way) is None:
        if way in record and record[way] is None:
            raise absent(record, way, where)
        raise UsageError(
            f"{where}: no `{way}`; the columns are {listed(list(record))}: score the answers first "
            "(pairwright score)"
        )
    if way == LABELLED[-1]:
        better = preferred(record[way], where)
        for place, name in enumerate(LABELLED[:2]):
            yield (0.5 if better is None else float(place == better)), record.get(name)
        return
    if way in ("score", "rank"):
        yield _score(record[way], way, where), record.get("completion")
        return
    answers, values = record.get(LIST), record[way]
    if not isinstance(answers, list) or not isinstance(values, list):
        name = way if isinstance(answers, list) else LIST
        raise UsageError(f"{where}: `{name}` is not a list; it must have an entry for each answer")
    if way == LIST and (said := next((n for n in BESIDE if record.get(n) is not None), None)):
        raise UsageError(
            f"{where}: has `{said}`, and rows before it have none; give every row its `{said}`"
        )
    if way == LIST and _are_objects(answers):
        yield from _scored_objects(record, where)
        return
    if way == LIST:
        refuse_steps(answers, record, LIST, where)
        values = [-float(rank) for rank in range(1, len(answers) + 1)]
    if len(values) != len(answers):
        raise UsageError(
            f"{where}: `{way}` has {len(values)} entries and `{LIST}` has {len(answers)}; give one for each"
        )
    for number, (value, answer) in enumerate(zip(values, answers, strict=True), start=1):
        if answer is None:
            raise UsageError(
                f"{where}: `{LIST}` has no answer at place {number}; leave it and its score out"
            )
        yield (value if way == LIST else _score(value, way, where)), answer


def _are_objects(answers: Any) -> bool:
    """Whether any answer of a list is an object with what belongs to it, and no message."""
    return isinstance(answers, list) and any(
        isinstance(answer, Mapping) and not {"role", "from"} & answer.keys() for answer in answers
    )


def _scored_objects(record: Record, where: str) -> Iterator[tuple[float, str]]:
    """Answers that are objects with a score or a rank of their own."""
    for number, found in enumerate(answers_in(record[LIST], record, LIST, where), start=1):
        if found is None or found.score is None or not math.isfinite(found.score):
            raise UsageError(f"{where}: answer {number} of `{LIST}` has no text, or no score or rank")
        yield found.score, found.text


def _score(value: Any, way: str, where: str) -> float:
    """The score, or the negative of the rank."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{where}: `{way}` is {value!r}; it must be a finite number")
    return -float(value) if way in ("rank", "ranks") else float(value)
