"""Pass rates, differences and pass@k, beside numbers worked out by hand."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evaluation.statistics import difference, pass_at, rate


def test_one_answer_a_prompt_has_wilsons_interval() -> None:
    found = rate(np.array([1.0] * 8 + [0.0] * 2), 100, 0)
    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson 1927, 8 of 10


def test_several_answers_are_drawn_by_prompt() -> None:
    """Ten answers to each of four prompts are four draws, not forty."""
    shares = np.array([0.9, 0.1, 0.8, 0.2])
    found = rate(shares, 20_000, 0)
    assert found.value == pytest.approx(0.5)
    of_four = sorted(np.mean(np.meshgrid(*[shares] * 4), axis=0).ravel())  # every sample of four
    low, high = np.quantile(of_four, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03)


def test_a_difference_is_that_of_the_pairs() -> None:
    first = np.array([0.0, 1.0] * 50)
    same = difference(first, first, 1000, 0)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    better = difference(first, np.ones(100), 5000, 0)
    assert better.value == 0.5
    assert (better.low, better.high) == pytest.approx((0.4, 0.6), abs=0.02)  # 0.5 ± 1.96 sqrt(.25 / 100)


@given(st.integers(1, 8), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_pass(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    answers = [True] * c + [False] * (n - c)
    wanted = sum(any(chosen) for chosen in combinations(answers, k)) / comb(n, k)
    assert pass_at(k, [c], n) == pytest.approx(wanted)


def test_pass_at_k_is_a_mean_over_prompts() -> None:
    assert pass_at(2, [2, 0], 5) == pytest.approx((0.7 + 0.0) / 2)
