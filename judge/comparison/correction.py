"""The win rate corrected for the judge's errors, with the uncertainty of both samples."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judge.calibration.calibration import calibration_of
from judge.jury.config import JuryConfig
from pairwright.engines import EngineOptions
from pairwright.errors import UsageError
from pairwright.figures.intervals import Interval, Rate, Z, share
from pairwright.records import IDENTICAL


class JudgeErrors(NamedTuple):
    """How far a judge agrees with people, from a calibration."""

    agreement: Rate
    """Points that it gives to answers that people prefer."""
    by_model: Mapping[str, Rate]
    """The same by the model whose answer they prefer, where the labelled pairs are of two models alone."""

    def of(self, rows: Sequence[Mapping[str, Any]]) -> list[Rate]:
        """Return the errors for either side of a comparison, or one for both.

        Two where the labelled pairs are of the very models that wrote the answers.
        """
        models = [{row[f"model_{side}"] for row in rows} for side in "ab"]
        if [len(names) for names in models] == [1, 1] and set().union(*models) == self.by_model.keys():
            return [self.by_model[name] for names in models for name in names]
        return [self.agreement]

    def corrected(self, rows: Sequence[Mapping[str, Any]]) -> Interval | None:
        """Return the win rate in a comparison that people would find."""
        errors = self.of(rows)
        if len(errors) == 1:
            return corrected(share(row["points"] for row in rows), *errors)
        judged = [row["points"] for row in rows if row["decision"] != IDENTICAL]
        found = corrected_by_side(share(judged), *errors)
        return found and with_equal(found, len(judged), len(rows))


def errors_of(config: JuryConfig, options: EngineOptions, folder: Path) -> JudgeErrors:
    """Return these judges' errors on labelled pairs, counted as a comparison counts points.

    Raises `UsageError` for a calibration of other judges, of other rules, or without these points.
    """
    found = calibration_of(config, options, folder)
    if found.points is None:
        raise UsageError(
            f"{folder}: an earlier version wrote it, without what --calibration needs here; run its "
            "pairwright calibrate again with --fresh (finished completions are used again)"
        )
    if found.min_margin != config.min_margin:
        raise UsageError(
            f"{folder}: was calibrated with --min_margin {found.min_margin:g}, and here it is "
            f"{config.min_margin:g}; give the same to both"
        )
    return JudgeErrors(found.points, found.points_by_model)


def corrected(win_rate: Rate, agreement: Rate) -> Interval | None:
    """Return the win rate that people would find, from a judge's and from its agreement with people.

    A judge that sides with people with probability α in every pair finds q = θα + (1 - θ)(1 - α) where
    people find θ, so θ = (q + α - 1) / (2α - 1) (Rogan and Gladen 1978, doi
    10.1093/oxfordjournals.aje.a112510; of judges, Lee et al. 2025, arXiv 2511.21140; where neither side
    is anybody's, sensitivity and specificity are one number). The 95 % interval is Fieller's: all θ with
    (q - θα - (1 - θ)(1 - α))² ≤ z² (var q + (1 - 2θ)² var α). Both shares are drawn towards 1/2 by z²/2
    observations (Agresti and Coull 1998), as they may be 0 or 1. None for a judge that is not shown to
    be better than chance: then nothing can be said.
    """
    if win_rate.value is None or agreement.value is None or agreement.low <= 0.5:
        return None
    (q, var_q), (alpha, var_alpha) = _drawn_in(win_rate), _drawn_in(agreement)
    # With s = 1 - 2θ, θ = (1 - s) / 2, the condition is (2q - 1 + s (2α - 1))² ≤ 4 z² (var q + s² var α).
    shift, gain = 2 * q - 1, 2 * alpha - 1
    a = gain**2 - 4 * Z**2 * var_alpha
    b = 2 * shift * gain
    c = shift**2 - 4 * Z**2 * var_q
    root = b * b - 4 * a * c
    value = (win_rate.value + agreement.value - 1) / (2 * agreement.value - 1)
    if a <= 0 or root < 0:
        return Interval(_share(value), 0.0, 1.0)
    ends = sorted((-b + sign * math.sqrt(root)) / (2 * a) for sign in (-1, 1))
    return Interval(_share(value), _share((1 - ends[1]) / 2), _share((1 - ends[0]) / 2))


def corrected_by_side(win_rate: Rate, sensitivity: Rate, specificity: Rate) -> Interval | None:
    """Return the same from a judge's points for what people prefer on either side.

    q = θ s + (1 - θ)(1 - t), with s on the pairs where people prefer a, and t where they prefer b: a judge
    errs less where answers are further apart, and those of the better model mostly are. The interval is
    all θ with (q - θ s - (1 - θ)(1 - t))² ≤ z² (var q + θ² var s + (1 - θ)² var t).
    """
    rates = (win_rate, sensitivity, specificity)
    if any(rate.value is None for rate in rates):
        return None
    (q, var_q), (s, var_s), (t, var_t) = map(_drawn_in, rates)
    gain, above = s + t - 1, q + t - 1  # the condition is (above - θ gain)² ≤ z² (…)
    if gain <= Z * math.sqrt(var_s + var_t):
        return None
    a = gain**2 - Z**2 * (var_s + var_t)
    b = -2 * above * gain + 2 * Z**2 * var_t
    c = above**2 - Z**2 * (var_q + var_t)
    root = b * b - 4 * a * c
    raw, sided, other = (rate.value or 0.0 for rate in rates)
    value = _share((raw + other - 1) / (sided + other - 1)) if sided + other > 1 else 0.5
    if root < 0:
        return Interval(value, 0.0, 1.0)
    low, high = ((-b + sign * math.sqrt(root)) / (2 * a) for sign in (-1, 1))
    return Interval(value, _share(low), _share(high))


def with_equal(judged: Interval, count: int, prompts: int) -> Interval:
    """Return the win rate over all prompts from that over the `count` whose answers differ.

    Equal answers are even without a judge, who has no errors there: θ = 1/2 + m (θ' - 1/2), where m is the
    share that was judged. What the draw of n prompts adds, z² (θ' - 1/2)² m (1 - m) / n, comes to the
    square of either half of the interval.
    """
    m, apart = count / prompts, judged.value - 0.5
    drawn = Z * abs(apart) * math.sqrt(m * (1 - m) / prompts)
    value = 0.5 + m * apart
    below, above = (
        math.hypot(m * (judged.value - judged.low), drawn),
        math.hypot(m * (judged.high - judged.value), drawn),
    )
    return Interval(value, _share(value - below), _share(value + above))


def _drawn_in(rate: Rate) -> tuple[float, float]:
    """A share with z²/2 observations of either kind added, and its variance."""
    assert rate.value is not None
    n = rate.n + Z * Z
    p = (rate.value * rate.n + Z * Z / 2) / n
    return p, p * (1 - p) / n


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
