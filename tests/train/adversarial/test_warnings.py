"""Signs that a game goes wrong, and how diverse answers are."""

from typing import Any

import pytest

from train.adversarial.config import LookConfig
from train.adversarial.measures import distinct
from train.adversarial.warnings import failure_signs

START = {"round": 0, "reward": 0.0, "reward_se": 0.1, "distinct_2": 0.8, "words": 40.0}


def played(number: int, **changes: Any) -> dict[str, Any]:
    return (
        START | {"round": number, "rm_ece": 0.03, "rm_accuracy": 0.6, "rm_train_accuracy": 0.65} | changes
    )


@pytest.mark.parametrize(
    ("rows", "sign"),
    [
        ([START, played(1), played(2)], None),
        ([START, played(1), played(2, rm_ece=0.1)], "calibration error jumped from 0.030 to 0.100"),
        ([START, played(1, rm_ece=0.1), played(2, rm_ece=0.14)], None),
        ([START, played(1, distinct_2=0.55)], "answers repeat themselves: 0.550"),
        ([START, played(1, words=19.0)], "answers shrink: 19.0 words, 40.0 at the start"),
        ([START, *(played(n, reward=r) for n, r in ((1, 1.0), (2, 0.2), (3, 1.1)))], "reward oscillates"),
        ([START, *(played(n, reward=r) for n, r in ((1, 1.0), (2, 0.9), (3, 1.1)))], None),
        ([START, *(played(n, reward=r) for n, r in ((1, 1.0), (2, 1.5), (3, 1.1)))], None),
        ([START, played(1), played(2, rm_train_accuracy=0.8)], "learns by heart"),
    ],
)
def test_failure_signs(rows, sign):
    found = failure_signs(rows, LookConfig())
    assert ([] if sign is None else [sign]) == [sign for text in found if sign and sign in text]
    assert len(found) == (sign is not None)


def test_distinct_ngrams_by_hand():
    """`a b a b` has bigrams ab, ba, ab; with `a b` there are 4, 2 different; unigrams 2 of 6."""
    texts = [["a", "b", "a", "b"], ["a", "b"]]
    assert distinct(texts, 2) == 0.5
    assert distinct(texts, 1) == pytest.approx(2 / 6)
    assert distinct([["a"]], 2) == 1.0
