"""Rounds as a table: one row a round, row 0 is the start.

`table.jsonl` holds nothing about time or place, so two runs can be compared line by line.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pairwright.folders.durable import write_durably

if TYPE_CHECKING:
    from rich.console import Group

Measures: TypeAlias = Mapping[str, Any]
Columns: TypeAlias = Mapping[str, tuple[str, str]]
"""What is shown, under which heading and how; the rows themselves have more."""


_WIDTH = 78
"""Characters of a terminal, with a space on either side."""


def write_rows(folder: Path, rows: Sequence[Measures]) -> None:
    """Write `table.jsonl` with all measures."""
    lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    write_durably(folder / "table.jsonl", lines.encode())


def write_markdown(folder: Path, rows: Sequence[Measures], columns: Columns) -> None:
    """Write `table.md` with the shown columns."""
    shown = shown_columns(rows, columns)
    text = [[heading for heading, _ in shown.values()], ["---"] * len(shown), *_cells(rows, shown)]
    write_durably(folder / "table.md", "".join(f"| {' | '.join(line)} |\n" for line in text).encode())


def as_rich(rows: Sequence[Measures], columns: Columns) -> "Group":
    """Return the table for a terminal, as several beneath each other where it is wider than one.

    Each begins with the first column.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table

    shown = shown_columns(rows, columns)
    lines = [[heading for heading, _ in shown.values()], *_cells(rows, shown)]
    first, *others = zip(*lines, strict=True)
    parts = [[first]]
    for column in others:
        if len(parts[-1]) > 1 and _width([*parts[-1], column]) > _WIDTH:
            parts.append([first])
        parts[-1].append(column)
    tables = []
    for part in parts:
        headings, *cells = zip(*part, strict=True)
        tables.append(Table(*headings, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False))
        for line in cells:
            tables[-1].add_row(*line)
    return Group(*tables)


def _width(columns: Sequence[Sequence[str]]) -> int:
    """Characters of columns beside each other, two between them."""
    return sum(2 + max(map(len, column)) for column in columns)


def shown_columns(rows: Sequence[Measures], columns: Columns) -> Columns:
    """Return the columns that have something to show."""
    return {name: how for name, how in columns.items() if any(row.get(name) is not None for row in rows)}


def _cells(rows: Sequence[Measures], columns: Columns) -> list[list[str]]:
    return [
        ["–" if row.get(name) is None else how.format(row[name]) for name, (_, how) in columns.items()]
        for row in rows
    ]
