"""Pairs that repeat another, and pairs that say the opposite of one: trained on as they are, and said."""

import logging
from collections.abc import Iterable

from train.data.split import Item
from train.devices.processes import is_first

log = logging.getLogger(__name__)


def warn_of_repeats(pairs: Iterable[Item]) -> None:
    """Say how many pairs have the tokens of another, and of how many another has the sides swapped."""
    seen: dict[int, str] = {}
    repeats, opposites = list[tuple[str, str]](), list[tuple[str, str]]()
    for pair in pairs:
        prompt, *sides = (ids.tobytes() for ids in (pair.prompt_tokens, *pair.sides.values()))
        if (before := seen.get(hash((prompt, *sides)))) is not None:
            repeats.append((pair.row_id, before))
            continue
        if (other := seen.get(hash((prompt, *sides[::-1])))) is not None:
            opposites.append((pair.row_id, other))
        seen[hash((prompt, *sides))] = pair.row_id
    for what, found, advice in (
        ("repeat another", repeats, "each counts; `pairwright dedup` leaves one of each"),
        ("say the opposite of another", opposites, "what one teaches the other takes back"),
    ):
        if found and is_first():
            first, other = found[0]
            log.warning(
                "pairs that %s: %d (the first: row %s, of row %s): %s",
                what,
                len(found),
                first,
                other,
                advice,
            )
