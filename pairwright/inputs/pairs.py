"""Preference pairs as people store them, read into one form.

`chosen` and `rejected` have a prompt of their own, or hold the whole conversation (as
`pairwright.inputs.prompt_and_answers` reads it). Scored answers are pairs too: of the best and the worst to
each prompt, of all, or of neighbours. A pair that edits made is one, or a chain of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice, pairwise
from statistics import fmean, pstdev
from types import MappingProxyType
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.beside import calls_of
from pairwright.inputs.chains import EDITS, answers_between, edits_of
from pairwright.inputs.columns import PAIR, Columns, PairsName, absent, columns_of, row_weight
from pairwright.inputs.messages import last_of, thought_of
from pairwright.inputs.prompt_and_answers import parse_answers
from pairwright.inputs.scored import RankedRow, holds_scores, ranked_of
from pairwright.inputs.source import Record, tolerated
from pairwright.inputs.sources import open_kept
from pairwright.records import Message, content_hash

CHAIN: PairsName = "chain"


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
    weight: float = 1.0
    """How much it counts: its loss is multiplied with it."""
    columns: Mapping[str, Any] = MappingProxyType({})
    """The row as it was read, for functions that judge it."""
    where: str = ""
    """The file and the row that it was read from, for sentences about it."""
    problem: str | None = None
    """What is wrong with it, where a row that is no pair is passed over; then the rest is empty."""


def read_pairs(
    sources: Iterable[str],
    limit: int | None = None,
    pairs: PairsName = "best_worst",
    skip: int = 0,
    *,
    margins: bool = False,
    weights: bool = True,
    thoughts: bool = False,
) -> Iterator[PairRow]:
    """Yield the pairs of runs, files and data sets, one source after the other.

    `limit` is the most pairs in all, `pairs` which of them scored answers make. Up to `skip` rows that
    are no pairs are passed over, as rows with a problem; one more raises `UsageError` naming it, as do
    rows that a run did not keep. The columns `margin` and `weight` are read where they are wanted, and so
    is what was thought before answers; elsewhere a message that holds a thought is refused.
    """
    wanted = {"margins": margins, "weights": weights, "thoughts": thoughts}
    rows = (row for source in sources for row in _pairs_of(source, pairs, wanted))
    return islice(_with_problems(tolerated(rows, skip)), limit)


def _with_problems(rows: Iterable[PairRow | UsageError]) -> Iterator[PairRow]:
    """The rows, with a row that has a problem for each that is no pair."""
    bad = 0
    nobody = Message(role="assistant", content="")
    for row in rows:
        if isinstance(row, UsageError):
            bad += 1
            row = PairRow(f"bad row {bad}", (), nobody, nobody, problem=str(row))
        yield row


def _pairs_of(name: str, pairs: PairsName, wanted: Mapping[str, bool]) -> Iterator[PairRow | UsageError]:
    source = open_kept(name)
    if where := holds_scores(source):
        if pairs == CHAIN:
            raise UsageError(f"{where}: scored answers have no edits: for --pairs {CHAIN} give pairs")
        for row in ranked_of(name, weights=wanted["weights"]):
            yield from [row] if isinstance(row, UsageError) else pairs_of_row(row, pairs)
        return
    found = edited = False
    for where, record in source.readable():
        found = True
        if isinstance(record, UsageError):
            yield record
            continue
        try:
            padded = source.schema is not None
            pair = parse_pair(record, where, source.own, padded=padded, **wanted)
            edited = edited or bool(record.get(EDITS))
            yield from list(chained(pair)) if pairs == CHAIN else [pair]
        except UsageError as error:
            yield error
    if not found:
        raise UsageError(f"{name}: no pairs in it; if it is a run, none of its rows was kept")
    if pairs == CHAIN and not edited:
        raise UsageError(
            f"{name}: --pairs {CHAIN} goes by `{EDITS}`, which no row has; pairwright revise --mode edits "
            "writes them"
        )


def chained(row: PairRow) -> Iterator[PairRow]:
    """Yield a pair for each edit of a row: the answer with it over the answer before it.

    The edits were made in rejected, or, where a revision made the answer worse, in chosen. A row of one
    edit or of none is the pair that it is. Raises `UsageError` where edits lead from neither to the other.
    """
    edits = edits_of(row.columns.get(EDITS), row.where)
    if len(edits) < 2:
        yield row
        return
    ends = row.chosen.content, row.rejected.content
    upward, downward = answers_between(ends[1], ends[0], edits), answers_between(*ends, edits)
    answers = upward or (downward and downward[::-1])
    if answers is None:
        raise UsageError(f"{row.where}: its `{EDITS}` do not lead from one answer to the other")
    for number, (worse, better) in enumerate(pairwise(answers), start=1):
        chosen, rejected = (
            message.model_copy(update={"content": text})
            for message, text in ((row.chosen, better), (row.rejected, worse))
        )
        name = f"{row.row_id} step {number}"
        yield row._replace(row_id=name, chosen=chosen, rejected=rejected, margin=None)


def places_of_pairs(scores: Sequence[float], pairs: PairsName) -> list[tuple[int, int]]:
    """Return the pairs that scored answers make, as places among the scores, which fall.

    They are best over worst, every better over every worse, each over the next, or best over the one
    nearest to μ − 2σ of the scores. The last is of Xiao et al. 2025 (https://arxiv.org/abs/2502.16825): the
    worst of many answers is so far off that little is learnt from it. One answer makes one pair, which is
    tied with itself.
    """
    places = range(len(scores))
    match pairs:
        case "all":
            chosen = list(combinations(places, 2))
        case "adjacent":
            chosen = list(pairwise(places))
        case "mean_minus_2sd" if len(scores) > 1:
            wanted = fmean(scores) - 2 * pstdev(scores)
            chosen = [(0, min(places[1:], key=lambda place: abs(scores[place] - wanted)))]
        case _:
            chosen = []
    return chosen or [(0, places[-1])]


def pairs_of_row(row: RankedRow, pairs: PairsName) -> Iterator[PairRow]:
    """Yield the pairs of scored answers (`places_of_pairs`), each with the weight of its better answer."""
    several = pairs in ("all", "adjacent")
    for better, worse in places_of_pairs(row.scores, pairs):
        name = f"{row.row_id} {better + 1}>{worse + 1}" if several else row.row_id
        best, worst = (Message(role="assistant", content=row.answers[place]) for place in (better, worse))
        tied, weight = row.scores[better] == row.scores[worse], row.weights[better]
        yield PairRow(name, row.prompt, best, worst, tied=tied, weight=weight)


def parse_pair(
    record: Record,
    where: str,
    own: frozenset[str] | None = None,
    *,
    margins: bool = True,
    weights: bool = True,
    thoughts: bool = False,
    padded: bool = False,
) -> PairRow:
    """Return one row. Raises `UsageError` that begins with `where` and names the column.

    A blank answer is "": whoever trains on pairs leaves such a row out. `own` are the columns of a run
    of ours that are the run's; `padded` is as for `pairwright.inputs.beside.calls_of`.
    """
    for name in PAIR:
        if record.get(name) in (None, [], {}) or (own is not None and name not in own):
            raise absent(record, name, where, own)
    wanted = Columns(answers=PAIR, thoughts=thoughts, calls=True, padded=padded)
    columns = columns_of(where, list(record), wanted, own)
    prompt, said = parse_answers(record, columns, PAIR, where)
    why = {name: _thought(record, name, where) if thoughts else None for name in PAIR}
    calls = {name: calls_of(last_of(record[name]), f"{where}: `{name}`", padded=padded) for name in PAIR}
    chosen, rejected = (
        Message(role="assistant", content=said[name] or "", reasoning=why[name], tool_calls=calls[name])
        for name in PAIR
    )
    answers = [m.further if m.tool_calls else m.content for m in (chosen, rejected)]
    row_id = record.get("row_id") or content_hash([[m.model_dump() for m in prompt], *answers])
    margin = record.get("margin") if margins and (own is None or "margin" in own) else None
    return PairRow(
        str(row_id),
        prompt,
        chosen,
        rejected,
        _margin(margin, where),
        weight=row_weight(record, where, own) if weights else 1.0,
        columns=record,
        where=where,
    )


def _thought(record: Record, name: str, where: str) -> str | None:
    """What was thought before an answer: in its message, or in the column `NAME_reasoning` of a run."""
    found, beside = thought_of(record[name], f"{where}: `{name}`"), record.get(f"{name}_reasoning")
    return found or (beside if isinstance(beside, str) and beside else None)


def _margin(value: Any, where: str) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise UsageError(f"{where}: `margin` must be a number, and is {value!r}")
