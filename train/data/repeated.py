"""Warnings of pairs that repeat another or contradict one; they are trained on as they are."""

import logging
from collections.abc import Iterable

from train.data.split import Item
from train.devices.processes import is_first

log = logging.getLogger(__name__)


def warn_of_repeats(pairs: Iterable[Item]) -> None:
    """Warn of pairs with the same tokens as another, and of pairs with another's sides swapped."""
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
