"""Intervals: beside scipy, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pairwright.figures.intervals import Interval, bootstrap, sign_test, wilson


def test_wilson_by_hand() -> None:
    """8 of 10: centre (0.8 + 3.8415/20) / 1.38415 = 0.7167, half-width 0.2266."""
    rate = wilson(8, 10)
    assert (rate.low, rate.high) == (pytest.approx(0.4902, abs=2e-4), pytest.approx(0.9433, abs=2e-4))
    assert wilson(0, 0) == (None, 0.0, 1.0, 0)


@given(st.integers(1, 500), st.data())
def test_wilson_is_that_of_scipy(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    theirs = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n)[1:3] == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_holds_its_value(n: int, p: float) -> None:
    rate = wilson(p * n, n)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1


@pytest.mark.parametrize("points", [0, 6])
def test_wilson_ends_at_a_share_of_none_and_of_all(points: int) -> None:
    """To the last bit: error bars of 3e-17 below nothing cannot be drawn."""
    rate = wilson(points, 6)
    assert rate.low <= rate.value <= rate.high


def test_the_sign_test_is_exact() -> None:
    assert sign_test(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert sign_test(2, 8) == sign_test(8, 2)
    assert sign_test(0, 0) == sign_test(5, 5) == 1.0


def test_bootstrap_intervals_of_a_mean_are_those_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    [found] = bootstrap((values,), lambda v, axis: v.mean(axis=axis)[None], 4000, 1)
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.value == values.mean()
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.02)


def test_observations_are_drawn_together_and_by_the_seed() -> None:
    one, other = np.arange(50.0), 3 * np.arange(50.0)

    def numbers(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.stack([b.mean(axis=axis) / a.mean(axis=axis), a.mean(axis=axis)])

    ratio, mean = bootstrap((one, other), numbers, 200, 1)
    assert ratio == pytest.approx((3.0, 3.0, 3.0))
    assert mean.low < mean.value < mean.high
    assert bootstrap((one, other), numbers, 200, 1) == [ratio, mean]
    assert bootstrap((one, other), numbers, 200, 2)[1] != mean


def test_one_observation_has_no_interval() -> None:
    [found] = bootstrap((np.ones(1),), lambda v, axis: v.mean(axis=axis)[None], 10, 1)
    assert found == Interval(1.0, 1.0, 1.0)
