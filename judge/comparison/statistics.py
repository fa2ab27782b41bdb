"""Statistics of win rates: intervals, length control, significance.

P  prompts that were decided
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairwright.figures.intervals import Interval, bootstrap

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
        return float(0.5 * (1 + np.tanh(0.5 * self.model)))


def length_feature(differences_P: Vector) -> Vector:
    """Return the tanh of differences over their standard deviation; not centred, so 0 is equal length."""
    spread = float(differences_P.std(ddof=1)) if len(differences_P) > 1 else 0.0
    return np.tanh(differences_P / spread) if spread > 0 else np.zeros_like(differences_P)


def fit_length(points_P: Vector, feature_P: Vector) -> LengthFit:
    """Fit a logistic regression on points of 0, 1/2 and 1: the root of the gradient of its likelihood.

    Dubois et al. 2024 (https://arxiv.org/abs/2404.04475, eq. 1) without the term of the instruction's
    difficulty, which takes a pool of models to estimate.
    """
    from scipy.optimize import root
    from scipy.special import expit

    X_P2 = np.stack([np.ones_like(feature_P), feature_P], axis=1)

    def gradient(theta_2: Vector) -> Vector:
        left_P: Vector = points_P - expit(X_P2 @ theta_2)
        return X_P2.T @ left_P - RIDGE * theta_2

    def hessian(theta_2: Vector) -> Vector:
        p_P: Vector = expit(X_P2 @ theta_2)
        return -(X_P2 * (p_P * (1 - p_P))[:, None]).T @ X_P2 - RIDGE * np.eye(2)

    model, length = root(gradient, np.zeros(2), jac=hessian, method="lm").x
    return LengthFit(float(model), float(length))


def win_rates(
    points_P: Vector, differences_P: Vector, samples: int, seed: int
) -> tuple[Interval, Interval]:
    """Return the raw and the length-controlled win rate, with 95 % percentile intervals over prompts."""

    def rates(points: Vector, feature: Vector, axis: int) -> Vector:
        rows = zip(np.atleast_2d(points), np.atleast_2d(feature), strict=True)
        controlled = np.array([fit_length(p, f).win_rate for p, f in rows])
        return np.stack([points.mean(axis=axis), controlled.reshape(points.shape[:-1])])

    raw, controlled = bootstrap((points_P, length_feature(differences_P)), rates, samples, seed)
    return raw, controlled


def in_words(win_rate: Interval, p: float, names: Sequence[str]) -> str:
    """Say in words what a win rate comes to."""
    if win_rate.low > 0.5 and p < 0.05:
        return f"{names[0]} is better"
    if win_rate.high < 0.5 and p < 0.05:
        return f"{names[1]} is better"
    return "no difference can be told"
