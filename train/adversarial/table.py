"""A game as a table and a plot: one row a round, row 0 is the start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairwright.figures.intervals import Z
from pairwright.reports.charts import picture_of_rounds
from train.rounds import table as round_table
from train.rounds.table import Measures, write_markdown, write_rows

if TYPE_CHECKING:
    from rich.console import Group

_COLUMNS = {
    "round": ("round", "{:d}"),
    "reward": ("reward", "{:.3f}"),
    "reward_se": ("s.e.", "{:.3f}"),
    "kl": ("KL", "{:.2f}"),
    "words": ("words", "{:.1f}"),
    "distinct_2": ("distinct", "{:.3f}"),
    "finished": ("ended", "{:.0%}"),
    "pass_rate": ("pass", "{:.1%}"),
    "rm_accuracy": ("RM acc", "{:.3f}"),
    "rm_ece": ("RM ECE", "{:.3f}"),
    "rm_golden": ("golden", "{:.3f}"),
    "win_rate": ("wins", "{:.3f}"),
}


def write_table(folder: Path, rows: Sequence[Measures]) -> None:
    """Write `table.jsonl`, `table.md` and `game.png`."""
    write_rows(folder, rows)
    write_markdown(folder, _with_golden(rows), _COLUMNS)
    plot_game(folder / "game.png", rows)


def as_rich(rows: Sequence[Measures]) -> "Group":
    """Return the table for a terminal."""
    return round_table.as_rich(_with_golden(rows), _COLUMNS)


def _with_golden(rows: Sequence[Measures]) -> list[dict[str, Any]]:
    """The rows with `rm_golden`, the accuracy on golden pairs of each row's own round."""
    return [
        {**row, "rm_golden": (row.get("rm_golden_accuracy") or {}).get(str(row["round"]))} for row in rows
    ]


def plot_game(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Plot the separate evaluator's reward, KL, length, and the reward model's accuracy and calibration."""
    rounds = [row["round"] for row in rows]
    with picture_of_rounds(path, rounds, left=0.06, wspace=0.15) as panels:
        reward, drift, accuracy, calibration = panels
        errors = [Z * row["reward_se"] for row in rows]
        reward.errorbar(rounds, [row["reward"] for row in rows], yerr=errors, marker="o", capsize=3)
        reward.set_title("reward by the separate model, 95 %", fontsize=9)
        drift.plot(rounds, [row["kl"] for row in rows], marker="o", label="KL to the start, nats")
        drift.plot(rounds, [row["words"] for row in rows], marker="s", label="words an answer")
        drift.set_title("how far the language model went", fontsize=9)
        played = [row for row in rows if row.get("rm_accuracy") is not None]
        at = [row["round"] for row in played]
        accuracy.plot(at, [row["rm_accuracy"] for row in played], marker="o", label="human pairs, held out")
        golden = sorted({name for row in played for name in row["rm_golden_accuracy"]}, key=int)
        for name in golden:
            known = [row for row in played if row["rm_golden_accuracy"].get(name) is not None]
            values = [row["rm_golden_accuracy"][name] for row in known]
            where = [row["round"] for row in known]
            accuracy.plot(where, values, marker=".", label=f"golden over samples of round {name}")
        accuracy.set_title("accuracy of the reward model", fontsize=9)
        calibration.plot(at, [row["rm_ece"] for row in played], marker="o")
        calibration.set_title("its calibration error on human pairs", fontsize=9)
