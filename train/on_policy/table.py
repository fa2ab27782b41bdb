"""A loop as a table and a plot: one row a round, row 0 is the start."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairwright.reports.charts import picture_of_rounds
from train.rounds import table as round_table
from train.rounds.table import Measures, write_markdown, write_rows

if TYPE_CHECKING:
    from rich.console import Group

_COLUMNS = {
    "round": ("#", "{:d}"),
    "pass_rate": ("pass", "{:.1%}"),
    "gained": ("gain, 95 %", "{}"),
    "win_rate": ("wins", "{:.3f}"),
    "interval": ("95 %", "{}"),
    "win_rate_length_controlled": ("LC", "{:.3f}"),
    "kept_share": ("kept", "{:.0%}"),
    "contradictions": ("contr", "{:.0%}"),
    "words": ("words", "{:.1f}"),
    "finished": ("ended", "{:.0%}"),
    "logratios/chosen": ("chosen", "{:+.2f}"),
    "logratios/rejected": ("reject", "{:+.2f}"),
    "logratios/chosen_rose": ("rose", "{:.0%}"),
}


def write_table(folder: Path, rows: Sequence[Measures]) -> None:
    """Write `table.jsonl`, `table.md` and `loop.png`."""
    write_rows(folder, rows)
    write_markdown(folder, _with_interval(rows), _COLUMNS)
    plot_loop(folder / "loop.png", rows)


def as_rich(rows: Sequence[Measures]) -> "Group":
    """Return the table for a terminal."""
    return round_table.as_rich(_with_interval(rows), _COLUMNS)


def _with_interval(rows: Sequence[Measures]) -> list[dict[str, Any]]:
    """The rows with both ends of each interval in one cell; the start has none."""
    return [{**row, **_intervals(row)} if row["round"] else dict(row) for row in rows]


def _intervals(row: Measures) -> dict[str, str]:
    found = {}
    if row.get("win_rate") is not None:
        found["interval"] = f"{row['win_rate_low']:.2f}–{row['win_rate_high']:.2f}"
    if row.get("gain") is not None:
        low, high = 100 * row["gain_low"], 100 * row["gain_high"]
        found["gained"] = f"{100 * row['gain']:+.1f} ({low:+.1f} to {high:+.1f})"
    return found


def plot_loop(path: Path, rows: Sequence[Measures]) -> None:
    """Plot win rate with its interval, kept pairs and contradictions, length, log-ratios; by round."""
    with picture_of_rounds(path, [row["round"] for row in rows], left=0.07, wspace=0.18) as panels:
        wins, shares, length, ratios = panels
        for name, label in (("win_rate", "win rate against the start"), ("pass_rate", "pass rate")):
            rated = [row for row in rows if row.get(name) is not None]
            below = [row[name] - row[f"{name}_low"] for row in rated]
            above = [row[f"{name}_high"] - row[name] for row in rated]
            if rated:
                places, values = [row["round"] for row in rated], [row[name] for row in rated]
                wins.errorbar(places, values, yerr=[below, above], marker="o", capsize=3, label=label)
        wins.axhline(0.5, color="grey", linewidth=0.8)
        wins.set_title("held-out prompts, 95 %", fontsize=9)
        shown = {
            shares: ("kept_share", "contradictions"),
            length: ("words",),
            ratios: ("logratios/chosen", "logratios/rejected"),
        }
        for axes, names in shown.items():
            for name in names:
                known = [row for row in rows if row.get(name) is not None]
                key = name if len(names) > 1 else None
                axes.plot([r["round"] for r in known], [r[name] for r in known], marker="o", label=key)
        shares.set_title("pairs kept; verdicts that contradict themselves", fontsize=9)
        length.set_title("words an answer", fontsize=9)
        ratios.set_title("log-ratios on held-out pairs, nats", fontsize=9)
