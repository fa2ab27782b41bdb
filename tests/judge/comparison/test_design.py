"""Whom a tournament tells apart, how seldom it errs, and whom it asks about next."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.comparison.design import Standing, groups, log_evidence


def test_evidence_worked_out_by_hand() -> None:
    """2^3 B(4, 1) = 8 · 3! 0! / 4! = 2, and 2^4 B(3, 3) = 16 · 2! 2! / 5! = 8 / 15."""
    assert math.exp(log_evidence(3, 0)) == pytest.approx(2)
    assert math.exp(log_evidence(2, 2)) == pytest.approx(8 / 15)
    assert log_evidence(0, 0) == 0


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_capital_does_not_grow_where_neither_is_better(wins: int, losses: int) -> None:
    """After one more comparison it is on average what it was: what holds however often one looks."""
    after = [math.exp(log_evidence(wins + w, losses + 1 - w)) for w in (0, 1)]
    assert np.mean(after) == pytest.approx(math.exp(log_evidence(wins, losses)))


def test_equal_models_are_seldom_told_apart_however_often_one_looks() -> None:
    draw, wrong = np.random.default_rng(2), 0
    for _ in range(300):
        standing = Standing(3, 0.1)
        for _ in range(15):
            standing.add({pair: draw.choice([0, 0.5, 1], 10).tolist() for pair in standing.wins})
        wrong += bool(standing.better())
    assert wrong / 300 <= 0.1


def told(*claims: tuple[int, int], models: int = 4) -> Standing:
    """A standing in which the first of each of these has beaten the second 40 times."""
    standing = Standing(models, 0.02)
    standing.add({(min(c), max(c)): [float(c[0] < c[1])] * 40 for c in claims})
    return standing


def test_what_follows_from_others_is_not_asked() -> None:
    standing = told((0, 1), (1, 2))
    assert standing.better() == {(0, 1): 1, (1, 2): 1, (0, 2): 1}
    assert standing.better(direct=True) == {(0, 1): 1, (1, 2): 1}
    assert standing.to_ask(100, sparse=True) == [(0, 3), (1, 3), (2, 3)]
    assert (0, 2) in standing.to_ask(100, sparse=False)
    assert told((2, 0), (3, 2)).better() == {(0, 2): -1, (2, 3): -1, (0, 3): -1}


def test_a_circle_tells_nobody_apart_and_is_asked_on() -> None:
    standing = told((0, 1), (1, 2), (2, 0), models=3)
    assert standing.better() == {}
    assert len(standing.to_ask(100, sparse=True)) == 3


def test_those_whom_the_prompts_left_cannot_tell_apart_are_given_up() -> None:
    standing = Standing(2, 0.05)
    standing.add({(0, 1): [1.0, 0.0] * 50})
    assert standing.to_ask(50, sparse=True) == []
    assert standing.to_ask(5000, sparse=True) == [(0, 1)]
    assert standing.to_ask(50, sparse=False) == [(0, 1)]
    tied = Standing(2, 0.05)
    tied.add({(0, 1): [0.5] * 60})
    assert tied.to_ask(100, sparse=True) == []


def test_the_order_is_cut_where_everybody_is_told_apart() -> None:
    better = {(0, 2): 1, (1, 2): 1, (0, 3): 1, (1, 3): 1}
    assert groups([0, 1, 2, 3], better) == [[0, 1], [2, 3]]
    assert groups([1, 0, 2, 3], {(0, 2): 1}) == [[1, 0, 2, 3]]
    assert groups([0, 1, 2], {(0, 1): 1, (1, 2): 1, (0, 2): -1}) == [[0, 1, 2]]  # a circle has no order
    assert groups([2, 0], {(0, 2): -1}) == [[2], [0]]
