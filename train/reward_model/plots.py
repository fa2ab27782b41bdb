"""Pictures of a reward model: is it as sure as it is right, and how far apart its rewards are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_SIZE = 4.2
"""Inches of a panel's side."""


def plot_reliability(path: Path, kinds: Mapping[str, Mapping[str, Any]]) -> None:
    """Share of pairs that are right against the probability given to them, one panel a kind."""
    figure, panels = _figure(len(kinds))
    for axes, (name, values) in zip(panels, kinds.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
        sizes = 12 + 120 * np.array(values["counts"]) / max(values["counts"])
        axes.plot(values["predicted"], values["observed"], color="C0", linewidth=1)
        axes.scatter(values["predicted"], values["observed"], s=sizes, color="C0", alpha=0.7)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted", ylabel="observed")
        axes.set_title(
            f"{name}: {values['pairs']} pairs, ECE {values['ece']:.3f} ({values['bins']} bins)", fontsize=9
        )
    _save(figure, path)


def plot_rewards(path: Path, kinds: Mapping[str, Mapping[str, Any]]) -> None:
    """Histogram of the rewards of chosen and rejected answers, one panel a kind."""
    figure, panels = _figure(len(kinds))
    for axes, (name, values) in zip(panels, kinds.items(), strict=True):
        histogram = values["histogram"]
        for side in ("chosen", "rejected"):
            axes.stairs(histogram[side], histogram["edges"], fill=True, alpha=0.5, label=side)
        axes.set(xlabel="reward", ylabel="answers")
        axes.set_title(f"{name}: accuracy {values['accuracy']:.3f}, {values['ties']} ties", fontsize=9)
        axes.legend(frameon=False)
    _save(figure, path)


def _figure(panels: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(_SIZE * panels, _SIZE))
    figure.subplots_adjust(left=0.14 / panels, right=1 - 0.04 / panels, bottom=0.13, top=0.92, wspace=0.25)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": ""})
