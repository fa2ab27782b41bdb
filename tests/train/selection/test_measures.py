"""Measures of a pair, against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.data.token_weights import changed_tokens
from train.selection.measures import ches, dcrm, implicit_margin, surprise, token_distance


def ids(*tokens: int) -> np.ndarray:
    return np.array(tokens, dtype=np.int32)


def test_ches_by_hand():
    """⟨(3, 1), (1, 2)⟩ − ‖(3, 1)‖² = 5 − 10; of means over 2 and 1 tokens, 2.5 − 2.5."""
    found = ches(np.array([3.0, 1.0]), np.array([1.0, 2.0]), 2, 1)
    assert found.plain == pytest.approx(-5)
    assert found.normalized == pytest.approx(0)


def test_ches_of_equal_states_is_zero_and_of_longer_rejected_ones_positive():
    state = np.array([1.0, -2.0])
    assert ches(state, state, 3, 3) == (0, 0)
    assert ches(state, 2 * state, 3, 3).plain == pytest.approx(5)
    assert ches(state, 2 * state, 3, 6).normalized == pytest.approx(0)


def test_changed_tokens_are_those_that_the_other_answer_has_not():
    chosen, rejected = changed_tokens(ids(1, 2, 3, 9), ids(1, 5, 6, 3, 9))
    assert chosen.tolist() == [False, True, False, False]
    assert rejected.tolist() == [False, True, True, False, False]


@given(st.lists(st.integers(0, 4), min_size=1), st.lists(st.integers(0, 4), min_size=1))
def test_what_is_not_changed_is_the_same_in_both_and_in_order(first, second):
    a, b = ids(*first), ids(*second)
    changed_a, changed_b = changed_tokens(a, b)
    assert a[~changed_a].tolist() == b[~changed_b].tolist()
    assert max(changed_a.sum(), changed_b.sum()) <= token_distance(a, b) <= max(len(a), len(b))


def test_surprise_is_that_of_changed_tokens_alone():
    logps = np.array([-1.0, -4.0, -2.0])
    assert surprise(logps, np.array([False, True, True])) == pytest.approx(3)
    assert math.isnan(surprise(logps, np.zeros(3, bool)))


def test_implicit_margin_and_dcrm_by_hand():
    assert implicit_margin(np.array([2.0]), np.array([-1.0]), 0.1).tolist() == pytest.approx([0.3])
    found = dcrm(np.array([0.6, 0.6]), np.array([2.0, 0.0]), np.array([-5.0, -4.0]), np.array([-8.0, -4.0]))
    assert found.tolist() == pytest.approx([0.1, 0.6])
