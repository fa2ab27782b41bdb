"""Plots of a reward model: its calibration, and the distribution of its rewards."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pairwright.reports.charts import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = 4.2
"""Inches of a panel's side."""


def plot_reliability(path: Path, kinds: Mapping[str, Mapping[str, Any]]) -> None:
    """Plot the share of pairs that are right against the probability given to them, one panel a kind."""
    with _panels(path, len(kinds)) as panels:
        for axes, (name, values) in zip(panels, kinds.items(), strict=True):
            axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
            sizes = 12 + 120 * np.array(values["counts"]) / max(values["counts"])
            axes.plot(values["predicted"], values["observed"], color="C0", linewidth=1)
            axes.scatter(values["predicted"], values["observed"], s=sizes, color="C0", alpha=0.7)
            axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted", ylabel="observed")
            axes.set_title(
                f"{name}: {values['pairs']} pairs, ECE {values['ece']:.3f} ({values['bins']} bins)",
                fontsize=9,
            )


def plot_rewards(path: Path, kinds: Mapping[str, Mapping[str, Any]]) -> None:
    """Plot a histogram of the rewards of chosen and rejected answers, one panel a kind."""
    with _panels(path, len(kinds)) as panels:
        for axes, (name, values) in zip(panels, kinds.items(), strict=True):
            histogram = values["histogram"]
            for side in ("chosen", "rejected"):
                axes.stairs(histogram[side], histogram["edges"], fill=True, alpha=0.5, label=side)
            axes.set(xlabel="reward", ylabel="answers")
            axes.set_title(f"{name}: accuracy {values['accuracy']:.3f}, {values['ties']} ties", fontsize=9)
            axes.legend(frameon=False)


def _panels(path: Path, count: int) -> AbstractContextManager[list["Axes"]]:
    room = {"left": 0.14 / count, "right": 1 - 0.04 / count, "bottom": 0.13, "top": 0.92, "wspace": 0.25}
    return picture(path, (_SIZE * count, _SIZE), 1, count, **room)
