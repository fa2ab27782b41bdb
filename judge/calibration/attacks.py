"""Attacks of `calibrate --attacks`: words inside an answer that address the judge."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pairwright.records import Record, content_hash

_FILE = Path(__file__).parent / "attacks.jsonl"


class Attack(Record):
    """A change of the losing answer that tries to win the judge over."""

    name: str
    kind: Literal["instruction", "verdict", "turn", "labels", "flattery", "empty"]
    """`instruction` to the judge, a fake `verdict`, a forged `turn`, repeated `labels`, self-praise, or
    an `empty` answer that says nothing and has been known to please judges."""
    place: Literal["after", "before", "instead"]
    """Where the text goes."""
    text: str

    def applied(self, answer: str) -> str:
        """Return the answer with the attack in it."""
        if self.place == "instead":
            return self.text
        parts = (answer, self.text) if self.place == "after" else (self.text, answer)
        return "\n\n".join(parts)


def load_attacks() -> list[Attack]:
    """Return all attacks, in the order of the file."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return [Attack.model_validate(json.loads(line)) for line in lines if line.strip()]


def drawn_attacks(attacks: Sequence[Attack], count: int, row_id: str) -> list[Attack]:
    """Return `count` successive attacks of the list, a circle, from a place drawn from the row's hash.

    Over many rows, all attacks come equally often.
    """
    start = int(content_hash(["attacks", row_id]), 16)
    return [attacks[(start + i) % len(attacks)] for i in range(min(count, len(attacks)))]
