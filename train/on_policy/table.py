"""A loop as a table and a picture, a row a round, row 0 being the start; and when it had better stop."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from train.on_policy.config import LoopLookConfig
from train.rounds import table as round_table
from train.rounds.table import Measures, write_markdown, write_rows

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = {
    "round": ("#", "{:d}"),
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
_SIZE = (10, 6)
"""Inches."""


def write_table(folder: Path, rows: Sequence[Measures]) -> None:
    """Write `table.jsonl`, `table.md` and `loop.png`."""
    write_rows(folder, rows)
    write_markdown(folder, _with_interval(rows), _COLUMNS)
    plot_loop(folder / "loop.png", rows)


def as_rich(rows: Sequence[Measures]) -> "Table":
    """The table for a terminal."""
    return round_table.as_rich(_with_interval(rows), _COLUMNS)


def _with_interval(rows: Sequence[Measures]) -> list[dict[str, Any]]:
    """The rows with both ends of the win rate's interval in one cell; the start has none."""
    return [
        {**row, "interval": f"{row['win_rate_low']:.2f}–{row['win_rate_high']:.2f}"}
        if row["round"] and row.get("win_rate") is not None
        else dict(row)
        for row in rows
    ]


def plot_loop(path: Path, rows: Sequence[Measures]) -> None:
    """Win rate with its interval, kept pairs and contradictions, length, log-ratios; round by round."""
    figure = Figure(figsize=_SIZE)
    FigureCanvasAgg(figure)
    ((wins, shares), (length, ratios)) = figure.subplots(2, 2)
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.08, top=0.95, hspace=0.35, wspace=0.18)
    rated = [row for row in rows if row.get("win_rate") is not None]
    values = [row["win_rate"] for row in rated]
    errors = [
        [row["win_rate"] - row["win_rate_low"] for row in rated],
        [row["win_rate_high"] - row["win_rate"] for row in rated],
    ]
    wins.errorbar([row["round"] for row in rated], values, yerr=errors, marker="o", capsize=3)
    wins.axhline(0.5, color="grey", linewidth=0.8)
    wins.set_title("win rate against the start, 95 %", fontsize=9)
    panels = {
        shares: ("kept_share", "contradictions"),
        length: ("words",),
        ratios: ("logratios/chosen", "logratios/rejected"),
    }
    for axes, names in panels.items():
        for name in names:
            known = [row for row in rows if row.get(name) is not None]
            axes.plot([r["round"] for r in known], [r[name] for r in known], marker="o", label=name)
    shares.set_title("pairs kept; verdicts that contradict themselves", fontsize=9)
    length.set_title("words an answer", fontsize=9)
    ratios.set_title("log-ratios on held-out pairs, nats", fontsize=9)
    for axes in (wins, shares, length, ratios):
        axes.set_xlabel("round")
        axes.set_xticks([row["round"] for row in rows])
    for axes in (shares, ratios):
        if axes.lines:
            axes.legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=110, metadata={"Software": ""})


def reason_to_stop(rows: Sequence[Measures], config: LoopLookConfig) -> str | None:
    """One sentence why no round should follow the last of these, `rows[0]` being the start; or None."""
    return _win_rate_fell(rows, config) or _contradictions_rose(rows, config)


def _win_rate_fell(rows: Sequence[Measures], config: LoopLookConfig) -> str | None:
    rated = [row for row in rows if row.get("win_rate") is not None]
    if len(rated) < 2:
        return None
    best, last = max(rated, key=lambda row: float(row["win_rate"])), rated[-1]
    if best["win_rate"] - last["win_rate"] <= config.stop_win_rate:
        return None
    what = "the start" if best["round"] == 0 else f"round {best['round']}"
    return (
        f"the win rate against the start fell to {last['win_rate']:.3f} in round {last['round']}, from "
        f"{best['win_rate']:.3f} of {what}, the best so far (stop_win_rate {config.stop_win_rate:g})"
    )


def _contradictions_rose(rows: Sequence[Measures], config: LoopLookConfig) -> str | None:
    judged = [row for row in rows if row.get("contradictions") is not None]
    if len(judged) < 2:
        return None
    first, last = judged[0], judged[-1]
    if last["contradictions"] - first["contradictions"] <= config.stop_contradictions:
        return None
    return (
        f"the judge contradicts itself on {last['contradictions']:.0%} of pairs in round {last['round']}, "
        f"{first['contradictions']:.0%} in round {first['round']} "
        f"(stop_contradictions {config.stop_contradictions:g})"
    )
