"""Strengths of several models: numbers by hand, intervals in simulated worlds, circles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from judge.comparison.bradley_terry import (
    RIDGE,
    all_pairs,
    counts_of,
    cycles,
    field_points,
    fit,
    intervals,
    resampled,
    surprising,
)


def test_strengths_worked_out_by_hand() -> None:
    """12 wins, 4 losses and 8 ties: θ_a - θ_b = log(12 / 4), and δ = log(8 / sqrt(12 · 4))."""
    found = fit(np.array([[[1200.0, 400.0, 800.0]]]), [(0, 1)], 2)
    assert found.theta_BK[0] == pytest.approx([math.log(3) / 2, -math.log(3) / 2], abs=1e-4)
    assert found.tie_B[0] == pytest.approx(math.log(8 / math.sqrt(48)), abs=1e-4)
    assert field_points(found)[0] == pytest.approx([16 / 24, 8 / 24], abs=1e-4)


@settings(max_examples=25)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_every_sample_is_at_the_maximum_of_its_likelihood(models: int, seed: int) -> None:
    pairs = all_pairs(models)
    counts = np.random.default_rng(seed).integers(0, 20, (3, len(pairs), 3)).astype(float)
    counts[0, 0] = [30, 0, 0]
    found = fit(counts, pairs, models)

    def loss(x: np.ndarray, sample: int) -> float:
        d = np.array([x[a] - x[b] for a, b in pairs])
        log = np.stack([d / 2, -d / 2, np.full_like(d, x[-1])], -1)
        log -= np.logaddexp.reduce(log, axis=-1, keepdims=True)
        return float(-(counts[sample] * log).sum() + RIDGE / 2 * x @ x)

    for n in range(3):
        x = np.array([*found.theta_BK[n], found.tie_B[n]])
        assert np.abs(approx_fprime(x, loss, 1e-6, n)).max() < 0.02


def world(draw: np.random.Generator, prompts: int, theta: np.ndarray) -> np.ndarray:
    """Points of every pair on every prompt, of answers that are good and bad luck for all their pairs."""
    worth = theta + draw.gumbel(size=(prompts, len(theta)))
    first, second = np.array(all_pairs(len(theta))).T
    points = (worth[:, first] > worth[:, second]).astype(float)
    ties = 1 / (2 * np.cosh((theta[first] - theta[second]) / 2) + 1)
    return np.where(draw.random(points.shape) < ties, 0.5, points)


def test_intervals_hold_the_strengths() -> None:
    """`benchmarks/tournaments.py` has 2,000 worlds; these are 40, of four strengths each."""
    draw, theta = np.random.default_rng(5), np.array([0.8, 0.2, -0.2, -0.8])
    held = []
    for seed in range(40):
        counts = counts_of(world(draw, 150, theta))
        samples = fit(resampled(counts, 100, seed), all_pairs(4), 4)
        found = intervals(theta, samples.theta_BK)
        held += [i.low <= i.value <= i.high for i in found]
    assert 0.88 <= np.mean(held) <= 0.99


def test_a_circle_is_found_and_told_from_luck() -> None:
    """Stone, scissors, paper: 70 of 100 each; beside a circle of 52 of 100 that luck explains."""
    draw = np.random.default_rng(1)
    for share, is_luck in ((0.75, False), (0.52, True)):
        points = (draw.permuted(np.arange(200)[:, None].repeat(3, 1), axis=0) < share * 200).astype(float)
        points[:, 1] = 1 - points[:, 1]  # pairs (0, 1), (0, 2), (1, 2): 0 > 1 > 2 > 0
        counts = counts_of(points)
        found = cycles(counts.sum(axis=0), resampled(counts, 300, 1), all_pairs(3), 3)
        assert [cycle.models for cycle in found] == [(0, 1, 2)]
        assert (surprising(found, 3) == []) is is_luck
    ordered = counts_of(world(draw, 200, np.array([1.0, 0.0, -1.0])))
    assert cycles(ordered.sum(axis=0), resampled(ordered, 100, 1), all_pairs(3), 3) == []
