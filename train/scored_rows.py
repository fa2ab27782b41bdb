"""Scored answers as `pairwright score` writes them: all answers to a prompt, best first."""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from pairwright.columns import Columns, parse_row
from pairwright.errors import UsageError
from pairwright.records import Message
from pairwright.sources import open_source


class RankedRow(NamedTuple):
    """A prompt and the answers to it, best first; of equal scores the one that stands first."""

    row_id: str
    """Of the best answer's row."""
    prompt: tuple[Message, ...]
    answers: tuple[str, ...]
    scores: tuple[float, ...]


def is_scored(record: Mapping[str, Any]) -> bool:
    """Whether a record is an answer with its score, and no pair."""
    return record.get("score") is not None and "chosen" not in record


def read_ranked(sources: Iterable[str], limit: int | None = None) -> Iterator[RankedRow]:
    """The prompts of some sources, in the order in which they first stand there; blank answers are none.

    Raises `UsageError` for a row without a score, or with one that is not finite.
    """
    return islice((row for source in sources for row in ranked_of(source)), limit)


def ranked_of(source: str) -> Iterator[RankedRow]:
    """The prompts of one source."""
    prompts: dict[tuple[Message, ...], list[tuple[float, str, str]]] = {}
    for where, record in open_source(source):
        if not is_scored(record):
            there = ", ".join(f"`{name}`" for name in record)
            raise UsageError(
                f"{where}: no `score`; the columns are {there}: score the answers first (pairwright score)"
            )
        prompt, answer = parse_row(record, Columns("prompt", "completion"), where)
        score = record["score"]
        if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
            raise UsageError(f"{where}: `score` is {score!r}; it must be a finite number")
        if answer is not None:
            row_id = str(record.get("row_id") or where)
            prompts.setdefault(prompt, []).append((float(score), answer, row_id))
    for prompt, found in prompts.items():
        best_first = sorted(found, key=lambda answer: -answer[0])
        scores, answers, row_ids = zip(*best_first, strict=True)
        yield RankedRow(row_ids[0], prompt, answers, scores)
