"""How often one side wins, as numbers: raw, with lengths made equal, and by a sign test."""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
"""Draws of the bootstrap."""
PENALTY = 0.01
"""Ridge of the regression, 1 / C for AlpacaEval's C = 100: it only keeps the coefficients finite where
one side wins everything."""
_NEWTON_STEPS = 25

Floats: TypeAlias = NDArray[np.float64]


class Estimate(NamedTuple):
    """A number between 0 and 1 and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Fit(NamedTuple):
    """Coefficients of the regression on length."""

    side: float
    """Logit of the win rate at equal lengths."""
    length: float
    """What a difference in length adds to it, at most: tanh saturates at 1."""


def resamples(n: int, seed: int) -> NDArray[np.intp]:
    """Which of `n` prompts each draw of the bootstrap takes, (`RESAMPLES`, n)."""
    return np.random.default_rng(seed).integers(0, n, size=(RESAMPLES, n))


def win_rate(points: Sequence[float], draws: NDArray[np.intp]) -> Estimate:
    """The mean of points (1 won, 1/2 tie, 0 lost), with the percentile interval over prompts."""
    found = np.asarray(points, dtype=np.float64)
    return _estimate(float(found.mean()), found[draws].mean(1))


def length_controlled(
    points: Sequence[float], differences: Sequence[int], draws: NDArray[np.intp]
) -> tuple[Estimate, Fit] | None:
    """The win rate that the regression expects of answers of equal length.

    Dubois et al. 2024, Length-Controlled AlpacaEval (arXiv 2404.04475), eq. 2 without its term of
    instruction difficulty, which takes a pool of models to estimate:

        logit P(win) = theta + phi tanh(d / s),    win rate = sigmoid(theta)

    d is the difference of lengths in characters and s its standard deviation over prompts (n - 1).
    None when all differ by the same length: its share in the wins cannot be told then.
    """
    y, d = np.asarray(points, dtype=np.float64), np.asarray(differences, dtype=np.float64)
    if not d.any():
        return win_rate(points, draws), fit(y, d)
    if len(y) < 2 or d.std() == 0:
        return None
    whole = fit(y, _squashed(d))
    redrawn = [_sigmoid(fit(y[draw], _squashed(d[draw])).side) for draw in draws]
    return _estimate(_sigmoid(whole.side), np.array(redrawn)), whole


def fit(points: Floats, x: Floats) -> Fit:
    """Logistic regression with soft labels by Newton's method, both coefficients under `PENALTY`."""
    design = np.stack([np.ones_like(x), x], 1)
    beta = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (p - points) + PENALTY * beta
        curvature = (design * (p * (1 - p))[:, None]).T @ design + PENALTY * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        beta = beta - step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < 1e-9:
            break
    return Fit(float(beta[0]), float(beta[1]))


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact p-value of so uneven a split of wins and losses, ties left out, by fair coins."""
    n, fewer = wins + losses, min(wins, losses)
    if n == 0:
        return 1.0
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
        for k in range(fewer + 1)
    ]
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))


def _squashed(differences: Floats) -> Floats:
    spread = differences.std(ddof=1)
    return np.tanh(differences / spread) if spread else np.zeros_like(differences)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _estimate(value: float, redrawn: Floats) -> Estimate:
    low, high = np.quantile(redrawn, [0.025, 0.975])
    return Estimate(value, float(low), float(high))
