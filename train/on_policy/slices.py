"""Rounds on a part of the prompts: which these are, and which earlier pairs are replayed."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pairwright.folders.durable import write_durably
from pairwright.folders.shards import read_tables
from train.rounds.folder import round_folder

T = TypeVar("T")
REPLAYED = "replayed.jsonl"
"""Pairs of earlier rounds that a round is trained on beside its own."""

_READ = (
    "row_id",
    "prompt",
    "chosen",
    "rejected",
    "margin",
    "weight",
    "chosen_reasoning",
    "rejected_reasoning",
)


def prompts_of_round(rows: Sequence[T], number: int, size: int | None) -> list[T]:
    """Return the `size` rows after those of earlier rounds, starting over at the end of the rows."""
    if size is None or size >= len(rows):
        return list(rows)
    begin = (number - 1) * size
    return [rows[at % len(rows)] for at in range(begin, begin + size)]


def sampled_from(number: int, every: int, *, overlap: bool = False) -> int:
    """Return the round whose model answers in round `number`, if a new one is taken every `every` rounds.

    With `overlap` it is the newest that exists while the round before is trained.
    """
    newest = max(number - 1 - overlap, 0)
    return newest // every * every


def replay(
    folder: Path, number: int, kinds: Sequence[str], own: int, share: float
) -> tuple[Path | None, int]:
    """Write pairs of earlier rounds that make up `share` of all pairs, together with `own` new ones.

    `kinds` are the runs of a round that hold pairs. Which pairs come is decided by a hash of their ids and
    the round's number; all, where there are too few. Returns the file, None without any, and how many.
    """
    here = round_folder(folder, number)
    new = {row["row_id"] for row in _pairs(here, kinds)}
    old = {
        row["row_id"]: row
        for before in range(1, number)
        for row in _pairs(round_folder(folder, before), kinds)
        if row["row_id"] not in new
    }
    wanted = round(own * share / (1 - share))
    drawn = sorted(old, key=lambda row_id: hashlib.sha256(f"{number}:{row_id}".encode()).digest())[:wanted]
    if not drawn:
        return None, 0
    lines = (json.dumps(old[row_id], ensure_ascii=False, default=str) + "\n" for row_id in drawn)
    path = here / REPLAYED
    write_durably(path, "".join(lines).encode("utf-8", "replace"))
    return path, len(drawn)


def _pairs(here: Path, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """The kept pairs of a round, as far as a training reads them."""
    rows = (row for kind in kinds for t in read_tables(here / kind) for row in t.to_pylist())
    return [{name: row[name] for name in _READ if name in row} for row in rows]
