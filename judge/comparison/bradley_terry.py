"""Strengths of several models from comparisons of two: Bradley and Terry's model, with ties.

K  models    M  pairs of models    P  prompts    B  bootstrap samples
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairwright.figures.intervals import Interval, Z

Array = NDArray[np.float64]
Pair = tuple[int, int]
"""Numbers of two models, the smaller one first."""
RIDGE = 1e-3
"""Weight of the squares of all parameters; keeps them finite where a model wins everything."""


class Strengths(NamedTuple):
    """log P(i wins) : log P(j wins) : log P(tie) = θ_i / 2 - θ_j / 2 : θ_j / 2 - θ_i / 2 : δ."""

    theta_BK: Array
    """In log-odds; of every sample they sum to 0."""
    tie_B: Array
    """δ, the log-weight of a tie between equals."""

    def expected_BKK(self) -> Array:
        """Return the expected points of each model (row) against each other (column), itself included."""
        d_BKK = self.theta_BK[:, :, None] - self.theta_BK[:, None, :]
        win, tie = _win_and_tie(d_BKK, self.tie_B[:, None, None])
        return win + tie / 2


class Cycle(NamedTuple):
    """Three models of which each is preferred to the next, and the last one to the first."""

    models: tuple[int, int, int]
    surprise: float
    """Standard errors between what the three pairs say and what any strengths could say: logit q_ij + logit
    q_jk + logit q_ki, which is 0 where strengths explain everything."""


def all_pairs(models: int) -> list[Pair]:
    """Return every two of the models."""
    return list(combinations(range(models), 2))


def counts_of(points_PM: Array) -> Array:
    """Return the first model's wins, losses and ties, prompt by prompt (P, M, 3); missing points add 0."""
    return np.stack([points_PM == 1, points_PM == 0, points_PM == 0.5], axis=-1).astype(np.float64)


def fit(counts_BM3: Array, pairs: Sequence[Pair], models: int) -> Strengths:
    """Fit the strengths of every sample by maximum likelihood, with a small ridge.

    Davidson 1970 (doi 10.1080/01621459.1970.10481082), who gives ties a weight of their own in Bradley and
    Terry 1952 (doi 10.1093/biomet/39.3-4.324). The samples' likelihoods have no parameter in common, so
    their sum is maximized at once.
    """
    from scipy.optimize import minimize

    B = len(counts_BM3)
    total_B = counts_BM3.sum(axis=(1, 2)).clip(1.0)
    share_BM3 = counts_BM3 / total_B[:, None, None]
    all_BM = share_BM3.sum(axis=-1)
    first, second = np.array(pairs).T
    sign_MK = np.zeros((len(pairs), models))
    sign_MK[np.arange(len(pairs)), first] = 1.0
    sign_MK[np.arange(len(pairs)), second] = -1.0
    ridge_B1 = (RIDGE / total_B)[:, None]

    def loss(flat: Array) -> tuple[float, Array]:
        x_BN = flat.reshape(B, models + 1)
        d_BM, tie_B1 = x_BN[:, :-1] @ sign_MK.T, x_BN[:, -1:]
        log_BM3 = np.stack(np.broadcast_arrays(d_BM / 2, -d_BM / 2, tie_B1), axis=-1)
        log_BM3 = log_BM3 - np.logaddexp.reduce(log_BM3, axis=-1, keepdims=True)
        left_BM3 = all_BM[..., None] * np.exp(log_BM3) - share_BM3
        slope_BM = (left_BM3[..., 0] - left_BM3[..., 1]) / 2
        gradient_BN = np.concatenate([slope_BM @ sign_MK, left_BM3[..., 2].sum(axis=1, keepdims=True)], 1)
        value = -(share_BM3 * log_BM3).sum() + (ridge_B1 * x_BN**2).sum() / 2
        return float(value), (gradient_BN + ridge_B1 * x_BN).ravel()

    options = {"maxiter": 5000, "maxfun": 10_000, "gtol": 1e-7, "ftol": 0.0, "maxcor": 20}
    found = minimize(loss, np.zeros(B * (models + 1)), jac=True, method="L-BFGS-B", options=options)
    x_BN = found.x.reshape(B, models + 1)
    theta_BK = x_BN[:, :-1] - x_BN[:, :-1].mean(axis=1, keepdims=True)
    return Strengths(theta_BK, x_BN[:, -1])


def resampled(counts_PM3: Array, samples: int, seed: int) -> Array:
    """Return the counts of all prompts (B, M, 3) in each of the bootstrap samples of the prompts."""
    P = len(counts_PM3)
    draw = np.random.default_rng(seed)
    weights_BP = draw.multinomial(P, np.full(P, 1 / P), size=samples)
    found: Array = (weights_BP @ counts_PM3.reshape(P, -1)).reshape(samples, *counts_PM3.shape[1:])
    return found


def intervals(value_N: Array, sampled_BN: Array) -> list[Interval]:
    """Return numbers with their 95 % percentile intervals."""
    low_N, high_N = np.quantile(sampled_BN, [0.025, 0.975], axis=0)
    return [Interval(*map(float, ends)) for ends in zip(value_N, low_N, high_N, strict=True)]


def field_points(found: Strengths) -> Array:
    """Return the mean points of each model against the others, (B, K)."""
    expected_BKK = found.expected_BKK()
    points_BK: Array = (expected_BKK.sum(axis=2) - 0.5) / (expected_BKK.shape[1] - 1)
    return points_BK


def cycles(counts_M3: Array, sampled_BM3: Array, pairs: Sequence[Pair], models: int) -> list[Cycle]:
    """Return the cycles of preference among models that were compared, the most surprising first."""
    logit_M, logit_BM = _logits(counts_M3), _logits(sampled_BM3)
    met = {pair: n for n, pair in enumerate(pairs) if counts_M3[n].sum() > 0}
    found = []
    for i, j, k in combinations(range(models), 3):
        if not {(i, j), (j, k), (i, k)} <= met.keys():
            continue
        ij, jk, ik = met[i, j], met[j, k], met[i, k]
        one, other, back = logit_M[ij], logit_M[jk], -logit_M[ik]
        if not (min(one, other, back) > 0 or max(one, other, back) < 0):
            continue
        spread = float((logit_BM[:, ij] + logit_BM[:, jk] - logit_BM[:, ik]).std())
        surprise = abs(float(one + other + back)) / spread if spread > 0 else float("inf")
        found.append(Cycle((i, j, k) if one > 0 else (k, j, i), surprise))
    return sorted(found, key=lambda cycle: -cycle.surprise)


def surprising(found: Sequence[Cycle], models: int) -> list[Cycle]:
    """Return the significant cycles, at 5 % over all triples of models (Bonferroni)."""
    from scipy.stats import norm

    triples = max(1, models * (models - 1) * (models - 2) // 6)
    least = max(Z, float(norm.isf(0.025 / triples)))
    return [cycle for cycle in found if cycle.surprise >= least]


def _logits(counts: Array) -> Array:
    """Log-odds of the first of each pair; half a point to either side keeps them finite."""
    points = counts[..., 0] + counts[..., 2] / 2
    odds: Array = np.log((points + 0.5) / (counts.sum(axis=-1) - points + 0.5))
    return odds


def _win_and_tie(d: Array, tie: Array) -> tuple[Array, Array]:
    log = np.stack(np.broadcast_arrays(d / 2, -d / 2, tie), axis=-1)
    share = np.exp(log - np.logaddexp.reduce(log, axis=-1, keepdims=True))
    return share[..., 0], share[..., 2]
