"""A game as a picture: what came of both models, round by round."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_SIZE = (10, 6)
"""Inches."""


def plot_game(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Reward of the separate evaluator, KL and length; accuracy and calibration of the reward model."""
    figure = Figure(figsize=_SIZE)
    FigureCanvasAgg(figure)
    ((reward, drift), (accuracy, calibration)) = figure.subplots(2, 2)
    figure.subplots_adjust(left=0.06, right=0.98, bottom=0.08, top=0.95, hspace=0.35, wspace=0.15)
    rounds = [row["round"] for row in rows]
    errors = [1.96 * row["reward_se"] for row in rows]
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
    for axes in (reward, drift, accuracy, calibration):
        axes.set_xlabel("round")
        axes.set_xticks(rounds)
    for axes in (drift, accuracy):
        axes.legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=110, metadata={"Software": ""})
