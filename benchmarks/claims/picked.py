"""Pairs of a pool that `pairwright select` picks, and what it measured of them

Half of a pool's pairs at either end of a measure, or pairs drawn by lot, always of all kinds in turn, so
that what is compared is the measure and not the kind of slip.
"""

from pathlib import Path
from typing import Any

from made_pairs import HELD_OUT_SEED, as_row, made, write

import pairwright as pw
from pairwright.records import content_hash

Rows = list[dict[str, Any]]

POOL = 4
"""Pairs of a pool for each one that is picked."""


def pool(seed: int, count: int, rejected: str, held_out: int) -> Rows:
    """`POOL` times as many pairs as are wanted, none of whose prompts or chosen answers is held out."""
    kept = made(HELD_OUT_SEED, held_out)
    return [as_row(one, rejected) for one in made(seed, POOL * count, without=kept)]


def picked(rows: Rows, count: int, by: str, cache: Path, **settings: Any) -> Rows:
    """Return `count` of the rows, least first by a measure, or most (`NAME:desc`), kinds taking turns.

    `settings` are those of `pairwright select`; what was picked stays in the cache.
    """
    folder = cache / "picked" / content_hash([rows, count, by, sorted(map(str, settings.items()))])[:16]
    data = write(folder / "pool.jsonl", rows)
    wanted = {"rank_by": by, "top": count, "stratify": "kind", "bf16": False, "use_cpu": True}
    found = pw.select(data, out=str(folder / "run"), **wanted, **settings)
    names = ("prompt", "chosen", "rejected", "kind")
    return [{name: row[name] for name in names} for row in found.frame().to_dicts()]
