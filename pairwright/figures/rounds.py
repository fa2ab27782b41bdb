"""Figures of a loop or a game: one JSON object a round, whatever its fields are called."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pairwright.errors import PairwrightError
from pairwright.figures.training import is_number
from pairwright.records import Record

ROUNDS_FILE = "table.jsonl"
"""What loops and games call it."""

_FIRST = ("reward", "reward_se", "win_rate", "kl")
"""What a round is judged by, and so shown first; the rest keeps its order."""


class Against(Record):
    """A round compared with an earlier one, prompt by prompt."""

    round: int
    """The earlier one."""
    difference: float
    """How much more often the later one passes, and the ends of the 95 % interval."""
    difference_low: float
    difference_high: float
    won: int
    """Prompts on which more answers of the later one pass."""
    lost: int


class RoundFigures(Record):
    """Rounds of a game or a loop."""

    rounds: tuple[int, ...]
    numbers: dict[str, tuple[float | None, ...]]
    """By field, the number of each round; nested fields are joined with a slash."""
    words: dict[str, tuple[str, ...]]
    """Fields that are text."""
    against: tuple[tuple["Against | None", ...], ...] = ()
    """Each round beside each before it, prompt by prompt; empty where nothing was compared so."""


def has_rounds(folder: Path) -> bool:
    """Return whether a folder holds rounds."""
    return (folder / ROUNDS_FILE).is_file()


def rounds_of(folder: Path) -> RoundFigures:
    """Return the rounds of a folder. Raises `PairwrightError` for a line that is not an object."""
    path = folder / ROUNDS_FILE
    records: list[dict[str, Any]] = []
    compared: list[list[Against]] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            record = dict(flat(json.loads(line)))
            compared.append([Against.model_validate(other) for other in record.get("against", ())])
        except (ValueError, AttributeError, TypeError):
            raise PairwrightError(f"{path} line {number}: is not a round; remove it") from None
        records.append({name: value for name, value in record.items() if not isinstance(value, list)})
    found = dict.fromkeys(name for record in records for name in record if name != "round")
    names = sorted(found, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    numbers, words = {}, {}
    for name in names:
        column = [record.get(name) for record in records]
        if all(v is None or isinstance(v, int | float) for v in column):
            numbers[name] = tuple(float(v) if is_number(v) else None for v in column)
        else:
            words[name] = tuple("" if v is None else str(v) for v in column)
    return RoundFigures(
        rounds=tuple(int(record.get("round", place)) for place, record in enumerate(records, start=1)),
        numbers=numbers,
        words=words,
        against=_matrix(compared),
    )


def _matrix(compared: Sequence[Sequence[Against]]) -> tuple[tuple[Against | None, ...], ...]:
    """What each round says of those before it, a column for each of these; empty where none says any."""
    if not any(compared):
        return ()
    by_round = [{other.round: other for other in some} for some in compared]
    columns = sorted({number for some in by_round for number in some})
    return tuple(tuple(some.get(number) for number in columns) for some in by_round if some)


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the fields of an object, those of objects inside it under joined names."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value
