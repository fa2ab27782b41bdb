"""A game as a table and a picture: one row a round, row 0 is the start.

`table.jsonl` holds nothing about time or place, so two games can be compared line by line.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairwright.durable import write_durably

if TYPE_CHECKING:
    from rich.table import Table

Measures = Mapping[str, Any]

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
"""What is shown, under which heading and how; `table.jsonl` has more."""


def write_table(folder: Path, rows: Sequence[Measures]) -> None:
    """Write `table.jsonl`, `table.md` and `game.png`."""
    lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    write_durably(folder / "table.jsonl", lines.encode())
    names = shown_columns(rows)
    text = [headings(names), ["---"] * len(names), *([cell(row, name) for name in names] for row in rows)]
    write_durably(folder / "table.md", "".join(f"| {' | '.join(line)} |\n" for line in text).encode())
    from train.game_plot import plot_game

    plot_game(folder / "game.png", rows)


def as_rich(rows: Sequence[Measures]) -> "Table":
    """The table for a terminal."""
    from rich import box
    from rich.table import Table

    table = Table(*headings(shown_columns(rows)), box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for row in rows:
        table.add_row(*(cell(row, name) for name in shown_columns(rows)))
    return table


def shown_columns(rows: Sequence[Measures]) -> list[str]:
    """Those of which there is something to show."""
    return [name for name in _COLUMNS if any(cell(row, name) != "–" for row in rows)]


def headings(names: Sequence[str]) -> list[str]:
    """What stands above them."""
    return [_COLUMNS[name][0] for name in names]


def cell(row: Measures, name: str) -> str:
    """A value as text; `rm_golden` is the accuracy on golden pairs of the row's own round."""
    value = row.get(name)
    if name == "rm_golden":
        value = (row.get("rm_golden_accuracy") or {}).get(str(row["round"]))
    return "–" if value is None else _COLUMNS[name][1].format(value)
