"""Whose a folder is: what may be written into it, and what settings it was begun with."""

from typing import Any


def changed_field(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """Name of a setting that differs, with both values, or None."""
    for name in [*before, *(n for n in now if n not in before)]:
        if before.get(name) != now.get(name):
            return f"`{name}` was {before.get(name)!r} and is now {now.get(name)!r}"
    return None
