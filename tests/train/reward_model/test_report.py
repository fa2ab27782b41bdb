"""What is said of rewards: calibration, ties, length."""

import math

import numpy as np
import pytest

from train.reward_model.report import PairScores, assess, calibration, in_words, without_length


def test_calibration_by_hand():
    """Two pairs, rewards apart by ln 3 the right way (p = .75) and by ln 3 the wrong way (p = .25).

    Both orders: p = .75 twice, labels 1 and 0; p = .25 twice, labels 0 and 1. Each bin is .25 off:
    ECE = (|1.5 - 1| + |.5 - 1|) / 4 = .25, ACE = MCE = .25. With the first pair alone: p = .75 with
    label 1 and .25 with label 0: the same gaps. A third pair 3 ln 3 ahead (p = 27/28, 1/28):
    ECE = (.5 + .5 + 1/28 + 1/28) / 6, ACE = (.25 + .25 + 1/28 + 1/28) / 4, MCE = .25.
    """
    apart = math.log(3)
    found = calibration(np.array([apart, 0.0]), np.array([0.0, apart]), 10)
    assert (found.ece, found.ace, found.mce) == pytest.approx((0.25, 0.25, 0.25))
    found = calibration(np.array([apart, 0.0, 3 * apart]), np.array([0.0, apart, 0.0]), 10)
    assert found.ece == pytest.approx((1 + 2 / 28) / 6)
    assert found.ace == pytest.approx((0.5 + 2 / 28) / 4)
    assert found.mce == pytest.approx(0.25)
    assert found.counts == [1, 2, 2, 1]


def test_bins_are_closed_on_the_right_and_a_tie_is_in_the_lower_middle_bin():
    """p = .5 is the right edge of (.4, .5]; saturated p = 0 and p = 1 are in the outer bins."""
    assert calibration(np.array([1.0]), np.array([1.0]), 10).predicted == [0.5]
    found = calibration(np.array([1e3]), np.array([0.0]), 2)
    assert (found.predicted, found.observed, found.counts) == ([0.0, 1.0], [0.0, 1.0], [1, 1])
    assert calibration(np.array([0.0]), np.array([0.0]), 2).counts == [2]


@pytest.mark.parametrize("seed", range(5))
def test_an_even_number_of_bins_is_confidence_calibration_with_half_of_them(seed):
    """Recomputed from confidences max(p, 1 - p) on [1/2, 1], of pairs counted once."""
    chance = np.random.default_rng(seed)
    chosen, rejected = chance.normal(0.3, 1, 200), chance.normal(0, 1, 200)
    p = 1 / (1 + np.exp(-np.abs(chosen - rejected)))
    right = (chosen > rejected).astype(float)
    places = np.minimum(((p - 0.5) / 0.1).astype(int), 4)
    by_confidence = sum(abs(p[places == b].sum() - right[places == b].sum()) for b in range(5)) / 200
    assert calibration(chosen, rejected, 10).ece == pytest.approx(by_confidence)


def test_ties_are_wrong_and_counted_and_length_can_be_taken_out():
    """Rewards that are nothing but half the length leave margins of 0; a bonus of 3 for the second
    pair's chosen answer, shorter by 4, gives the slope (1*.5 + ... ) worked out below.

    Differences: reward 2, 1; tokens 4, -2 -> slope (8 - 2) / 20 = .3; left: 2 - 1.2 = .8, 1 + .6 = 1.6.
    """
    even = PairScores(
        np.array([3.0, 1.0]), np.array([1.0, 2.0]), np.array([6.0, 2.0]), np.array([2.0, 4.0])
    )
    slope, left = without_length(even)
    assert (slope, left.tolist()) == (0.5, [0.0, 0.0])
    assert assess(even, bins=10)["accuracy_without_length"] == 0
    bonus = PairScores(
        np.array([3.0, 2.0]), np.array([1.0, 1.0]), np.array([6.0, 2.0]), np.array([2.0, 4.0])
    )
    slope, left = without_length(bonus)
    assert slope == pytest.approx(0.3)
    assert left.tolist() == pytest.approx([0.8, 1.6])
    tied = even._replace(chosen=np.array([1.0, 3.0]))
    found = assess(tied, bins=10)
    assert (found["accuracy"], found["ties"], found["longer_accuracy"]) == (0.5, 1, 0.5)


def test_accuracy_is_told_by_subset_and_small_ones_count_as_large_ones_do():
    right = np.array([1.0, 1.0, 1.0, 0.0, 1.0])
    scores = PairScores(
        right, np.zeros(5), np.ones(5), np.ones(5), ("chat", "chat", "chat", "chat", "code")
    )
    found = assess(scores, bins=10)
    told = {name: (one["pairs"], one["accuracy"]) for name, one in found["by_subset"].items()}
    assert told == {"chat": (4, 0.75), "code": (1, 1.0)}
    assert (found["accuracy"], found["accuracy_over_subsets"]) == (0.8, 0.875)
    assert in_words(found).endswith("chat 75.0% of 4, code 100.0% of 1; mean over subsets 87.5%")
