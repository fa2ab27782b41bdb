"""Figures of a game or a loop: `rounds.jsonl`, one object a round, whatever its fields are called."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pairwright.errors import PairwrightError
from pairwright.records import Record

ROUNDS_FILE = "rounds.jsonl"


class RoundFigures(Record):
    """Rounds of a game or a loop."""

    rounds: tuple[int, ...]
    numbers: dict[str, tuple[float | None, ...]]
    """By field, the number of each round; nested fields are joined with a slash."""
    words: dict[str, tuple[str, ...]]
    """Fields that are text."""


def has_rounds(folder: Path) -> bool:
    """Whether a folder holds rounds."""
    return (folder / ROUNDS_FILE).is_file()


def rounds_of(folder: Path) -> RoundFigures:
    """The rounds of a folder. Raises `PairwrightError` for a line that is not an object."""
    path = folder / ROUNDS_FILE
    records: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            records.append(dict(_flat(json.loads(line))))
        except (ValueError, AttributeError):
            raise PairwrightError(f"{path} line {number}: is not a round; remove it") from None
    names = dict.fromkeys(name for record in records for name in record if name != "round")
    numbers, words = {}, {}
    for name in names:
        column = [record.get(name) for record in records]
        if all(v is None or isinstance(v, int | float) for v in column):
            numbers[name] = tuple(None if v is None else float(v) for v in column)
        else:
            words[name] = tuple("" if v is None else str(v) for v in column)
    return RoundFigures(
        rounds=tuple(int(record.get("round", place)) for place, record in enumerate(records, start=1)),
        numbers=numbers,
        words=words,
    )


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}/")
        elif not isinstance(value, list):
            yield prefix + name, value
