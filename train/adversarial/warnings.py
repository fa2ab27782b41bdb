"""Warning signs in a game's measures, as the seed paper names them.

Each has its threshold among the settings. A sign calls for a look; it proves nothing.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from train.adversarial.config import LookConfig

Measures = Mapping[str, Any]


def failure_signs(rows: Sequence[Measures], config: LookConfig) -> list[str]:
    """Return warnings about the last of these rounds; `rows[0]` is the start."""
    signs = (
        _calibration_jumps(rows, config),
        _answers_repeat(rows, config),
        _answers_shrink(rows, config),
        _reward_oscillates(rows, config),
        _gap_widens(rows, config),
    )
    return [sign for sign in signs if sign]


def _calibration_jumps(rows: Sequence[Measures], config: LookConfig) -> str:
    errors = [row["rm_ece"] for row in rows if row.get("rm_ece") is not None]
    if len(errors) < 2 or errors[-1] - errors[-2] <= config.warn_ece:
        return ""
    return (
        f"the reward model's calibration error jumped from {errors[-2]:.3f} to {errors[-1]:.3f} "
        f"(warn_ece {config.warn_ece:g})"
    )


def _answers_repeat(rows: Sequence[Measures], config: LookConfig) -> str:
    start, now = rows[0]["distinct_2"], rows[-1]["distinct_2"]
    if now >= config.warn_distinct * start:
        return ""
    return (
        f"answers repeat themselves: {now:.3f} of their bigrams are distinct, {start:.3f} at the start "
        f"(warn_distinct {config.warn_distinct:g})"
    )


def _answers_shrink(rows: Sequence[Measures], config: LookConfig) -> str:
    start, now = rows[0]["words"], rows[-1]["words"]
    if now >= config.warn_length * start:
        return ""
    return f"answers shrink: {now:.1f} words, {start:.1f} at the start (warn_length {config.warn_length:g})"


def _reward_oscillates(rows: Sequence[Measures], config: LookConfig) -> str:
    """Two turns in the last three steps, each step beyond its noise."""
    steps = []
    for before, after in zip(rows[-4:], rows[-3:], strict=False):
        error = (before["reward_se"] ** 2 + after["reward_se"] ** 2) ** 0.5
        steps.append((after["reward"] - before["reward"]) / error if error else 0.0)
    turns = all(a * b < 0 for a, b in pairwise(steps))
    if len(steps) < 3 or not turns or min(map(abs, steps)) <= config.warn_oscillation:
        return ""
    last = ", ".join(f"{row['reward']:.3f}" for row in rows[-4:])
    return f"the reward oscillates: {last} (warn_oscillation {config.warn_oscillation:g} standard errors)"


def _gap_widens(rows: Sequence[Measures], config: LookConfig) -> str:
    gaps = [
        row["rm_train_accuracy"] - row["rm_accuracy"]
        for row in rows
        if row.get("rm_train_accuracy") is not None and row.get("rm_accuracy") is not None
    ]
    if len(gaps) < 2 or min(gaps[-1], gaps[-1] - gaps[0]) <= config.warn_gap:
        return ""
    return (
        f"the reward model learns by heart: its training accuracy is {gaps[-1]:.3f} ahead of held-out, "
        f"{gaps[0]:.3f} in the first round (warn_gap {config.warn_gap:g})"
    )
