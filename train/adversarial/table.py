"""A game as a table and a picture: one row a round, row 0 is the start."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.rounds import table as round_table
from train.rounds.table import Measures, write_markdown, write_rows

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = {
    "round": ("round", "{:d}"),
    "reward": ("reward", "{:.3f}"),
    "reward_se": ("s.e.", "{:.3f}"),
    "kl": ("KL", "{:.2f}"),
    "words": ("words", "{:.1f}"),
    "distinct_2": ("distinct", "{:.3f}"),
    "finished": ("ended", "{:.0%}"),
    "rm_accuracy": ("RM acc", "{:.3f}"),
    "rm_ece": ("RM ECE", "{:.3f}"),
    "rm_golden": ("golden", "{:.3f}"),
    "win_rate": ("wins", "{:.3f}"),
}


def write_table(folder: Path, rows: Sequence[Measures]) -> None:
    """Write `table.jsonl`, `table.md` and `game.png`."""
    write_rows(folder, rows)
    write_markdown(folder, _with_golden(rows), _COLUMNS)
    from train.game_plot import plot_game

    plot_game(folder / "game.png", rows)


def as_rich(rows: Sequence[Measures]) -> "Table":
    """The table for a terminal."""
    return round_table.as_rich(_with_golden(rows), _COLUMNS)


def _with_golden(rows: Sequence[Measures]) -> list[dict[str, Any]]:
    """The rows with `rm_golden`, the accuracy on golden pairs of each row's own round."""
    return [
        {**row, "rm_golden": (row.get("rm_golden_accuracy") or {}).get(str(row["round"]))} for row in rows
    ]
