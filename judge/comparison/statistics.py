"""Win rates as numbers: with intervals, without length, and whether they could be luck.

P  prompts that were decided
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairwright.figures.intervals import Interval

Vector = NDArray[np.float64]
RIDGE = 1e-3
"""Weight of the squares of both coefficients; keeps them finite when one side wins everything."""


class LengthFit(NamedTuple):
    """logit P(a wins) = model + length * tanh(d / s); d: characters of a less those of b."""

    model: float
    length: float

    @property
    def win_rate(self) -> float:
        """Of a, were all answers equally long."""
        return float(_sigmoid(np.array(self.model)))


def length_feature(differences_P: Vector) -> Vector:
    """tanh of the differences over their standard deviation; not centred, so 0 is equal length."""
    spread = float(differences_P.std(ddof=1)) if len(differences_P) > 1 else 0.0
    return np.tanh(differences_P / spread) if spread > 0 else np.zeros_like(differences_P)


def fit_length(points_P: Vector, feature_P: Vector) -> LengthFit:
    """Logistic regression by Newton's steps, on points of 0, 1/2 and 1.

    Dubois et al. 2024 (https://arxiv.org/abs/2404.04475, eq. 1) without the term of the instruction's
    difficulty, which takes a pool of models to estimate.
    """
    X = np.stack([np.ones_like(feature_P), feature_P], axis=1)
    theta = np.zeros(2)
    for _ in range(50):
        p = _sigmoid(X @ theta)
        gradient = X.T @ (points_P - p) - RIDGE * theta
        hessian = (X * (p * (1 - p))[:, None]).T @ X + RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        # Far from the optimum the curvature is nearly flat and a whole step would overshoot.
        theta = theta + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    return LengthFit(float(theta[0]), float(theta[1]))


def bootstrap(
    points_P: Vector, differences_P: Vector, samples: int, seed: int
) -> tuple[Interval, Interval]:
    """Raw and length-controlled win rate, each with its 95 % percentile interval over prompts."""
    draw = np.random.default_rng(seed)
    feature_P = length_feature(differences_P)
    raw, controlled = np.empty(samples), np.empty(samples)
    for n in range(samples):
        chosen = draw.integers(0, len(points_P), len(points_P))
        raw[n] = points_P[chosen].mean()
        controlled[n] = fit_length(points_P[chosen], feature_P[chosen]).win_rate
    return (
        _interval(float(points_P.mean()), raw),
        _interval(fit_length(points_P, feature_P).win_rate, controlled),
    )


def in_words(win_rate: Interval, p: float, names: Sequence[str]) -> str:
    """What a win rate comes to."""
    if win_rate.low > 0.5 and p < 0.05:
        return f"{names[0]} is better"
    if win_rate.high < 0.5 and p < 0.05:
        return f"{names[1]} is better"
    return "no difference can be told"


def _interval(value: float, found: Vector) -> Interval:
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _sigmoid(x: Vector) -> Vector:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), dtype=np.float64)
