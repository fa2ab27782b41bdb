"""The best round: which it is, and a link to its model."""

from collections.abc import Sequence
from pathlib import Path

from train.rounds.table import Measures

BEST = "best"
_BY = ("pass_rate", "win_rate", "reward")
"""What rounds are compared by: the first of these that all of them have."""


def best_of(rows: Sequence[Measures]) -> Measures | None:
    """Return the best round by the measure that all have, the first of equal ones; None without any."""
    by = next((name for name in _BY if rows and all(row.get(name) is not None for row in rows)), None)
    return None if by is None else max(rows, key=lambda row: float(row[by]))


def link_best(folder: Path, rows: Sequence[Measures], model: str) -> None:
    """Link `best` in the folder to the model of the best round; remove the link if that is the start."""
    found, link = best_of(rows), folder / BEST
    if found is None or not found["round"]:
        link.unlink(missing_ok=True)
        return
    fresh = folder / f".{BEST}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(Path(f"round-{found['round']}") / model)
    fresh.replace(link)
