"""The aspects that answers are rated by, and what each weighs."""

import math

from pairwright.errors import UsageError


def parse_aspects(text: str) -> dict[str, float]:
    """Weights by aspect, from `correctness:2,clarity` (no weight is 1). Raises `UsageError`."""
    aspects: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = (piece.strip() for piece in part.partition(":"))
        if not name or name in aspects:
            raise UsageError(f"--aspects {text!r}: write each aspect once, such as correctness:2,clarity:1")
        aspects[name] = _weight(weight or "1", name)
    return aspects


def _weight(text: str, name: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise UsageError(f"--aspects: the weight of {name} is {text!r}; it must be a number above 0")
    return weight
