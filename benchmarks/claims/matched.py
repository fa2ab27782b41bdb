"""Runs compared: after the same updates and at the same gap, with intervals over seeds and prompts

Losses pull with different strength, so after as many updates they are at different places. The gap
Δ_w − Δ_l, the mean over held-out pairs, says how far a run has come; at the same gap only *where* the
two answers went is different. Between evaluations curves are taken as straight.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from trained import Curves

Array = npt.NDArray[np.float64]

RESAMPLES = 4000


class Estimate(NamedTuple):
    """A mean over seeds and prompts, its 95 % interval, and how many seeds have its sign."""

    mean: float
    low: float
    high: float
    alike: int
    seeds: int

    def __format__(self, spec: str) -> str:
        mean, low, high = (format(value, f"+{spec or '.2f'}") for value in self[:3])
        return f"{mean} ({low} to {high})"

    @property
    def sign(self) -> str:
        """How many of the seeds agree about the sign."""
        return f"{self.alike} of {self.seeds}"


def estimate(values_SP: Array) -> Estimate:
    """Bootstrap of means: seeds are drawn, and prompts, the same prompts for every seed."""
    rng = np.random.default_rng(0)
    seeds, prompts = values_SP.shape
    means = [
        values_SP[np.ix_(rng.integers(0, seeds, seeds), rng.integers(0, prompts, prompts))].mean()
        for _ in range(RESAMPLES)
    ]
    mean, (low, high) = float(values_SP.mean()), np.quantile(means, [0.025, 0.975])
    alike = int((np.sign(values_SP.mean(1)) == np.sign(mean)).sum())
    return Estimate(mean, float(low), float(high), alike, seeds)


def at_end(runs: Sequence[Curves], of: str = "chosen_TP") -> Array:
    """Values of held-out pairs after the last update, seeds by pairs."""
    return np.stack([getattr(run, of)[-1] for run in runs])


def at_gap(runs: Sequence[Curves], gap: float, of: str = "chosen_TP") -> Array:
    """The same where each run's mean gap first is `gap`. Raises `ValueError` if one never came there."""
    return np.stack([_between(run, gap, getattr(run, of)) for run in runs])


def _between(run: Curves, gap: float, values_TP: Array) -> Array:
    after = np.flatnonzero(run.gap_T >= gap)
    if not len(after):
        raise ValueError(f"the largest gap was {run.gap_T.max():.3g}, not {gap:.3g}")
    last = int(after[0])
    if last == 0:
        return values_TP[0]
    low, high = run.gap_T[last - 1], run.gap_T[last]
    share = (gap - low) / (high - low)
    between: Array = (1 - share) * values_TP[last - 1] + share * values_TP[last]
    return between


def common_gap(groups: Mapping[str, Sequence[Curves]]) -> float:
    """The largest gap that every run came to."""
    return float(min(run.gap_T.max() for runs in groups.values() for run in runs))


def table(groups: Mapping[str, Sequence[Curves]], gap: float) -> str:
    """A row for every setting: log-ratios after the last update, accuracy, the chosen one at the gap."""
    steps = next(iter(groups.values()))[0].steps_T[-1]
    lines = [
        f"| | chosen after {steps} updates | rejected | gap | accuracy | "
        f"chosen at a gap of {gap:.1f} | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, runs in groups.items():
        chosen, matched = estimate(at_end(runs)), estimate(at_gap(runs, gap))
        rejected, right = at_end(runs, "rejected_TP").mean(), at_end(runs, "right_TP").mean()
        lines.append(
            f"| {name} | {chosen} | {rejected:+.2f} | {chosen.mean - rejected:.2f} | {right:.3f} | "
            f"{matched} | {matched.sign} |"
        )
    return "\n".join(lines)


def contrast(name: str, one: Sequence[Curves], other: Sequence[Curves]) -> str:
    """A line about chosen answers under `one` minus `other`, pair by pair: at the largest gap that both
    came to, and after the last update."""
    gap = common_gap({"one": one, "other": other})
    matched = estimate(at_gap(one, gap) - at_gap(other, gap))
    stepped = estimate(at_end(one) - at_end(other))
    return (
        f"{name}: at a gap of {gap:.1f} {matched}, {matched.sign} seeds; "
        f"after the last update {stepped}, {stepped.sign} seeds"
    )


def draw(groups: Mapping[str, Sequence[Curves]], path: Path, title: str) -> None:
    """Chosen and rejected by update, and the chosen by gap: thin lines are seeds, thick ones means."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (by_update, by_gap) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for number, (name, runs) in enumerate(groups.items()):
        colour = f"C{number}"
        steps = runs[0].steps_T
        for side, dashes in (("chosen_TP", "-"), ("rejected_TP", ":")):
            lines = np.stack([getattr(run, side).mean(1) for run in runs])
            by_update.plot(steps, lines.T, dashes, color=colour, alpha=0.3, linewidth=0.8)
            label = name if side == "chosen_TP" else None
            by_update.plot(steps, lines.mean(0), dashes, color=colour, linewidth=2, label=label)
        for run in runs:
            by_gap.plot(run.gap_T, run.chosen_TP.mean(1), color=colour, alpha=0.3, linewidth=0.8)
        gaps = np.stack([run.gap_T for run in runs]).mean(0)
        chosen = np.stack([run.chosen_TP.mean(1) for run in runs]).mean(0)
        by_gap.plot(gaps, chosen, color=colour, linewidth=2, marker=".")
    by_update.set(xlabel="update", ylabel="log-ratio, nats", title="chosen —   rejected ···")
    by_gap.set(xlabel="gap, chosen − rejected, nats", ylabel="chosen, nats", title="chosen at the same gap")
    for axes in (by_update, by_gap):
        axes.axhline(0, color="grey", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    by_update.legend(fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=75)
    plt.close(figure)
