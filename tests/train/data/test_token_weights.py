"""Which tokens count what: the forms of the setting, the difference of token ids, and columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import TinyRun, numbered_pairs, write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.pairs import PairRow, parse_pair
from pairwright.models.loading import load_tokenizer
from train.data.pairs import load_pairs
from train.data.token_weights import TokenWeights

ROW = parse_pair({"prompt": "Q", "chosen": "a", "rejected": "b", "w": 3.0}, "rows.jsonl line 7")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("weights"))


def weighed(text: str, chosen: list[int], rejected: list[int], row: PairRow = ROW) -> list[list[float]]:
    ids = (np.array(part, np.int32) for part in (chosen, rejected))
    return [side.tolist() for side in TokenWeights.parse(text).of(row, *ids)]


@pytest.mark.parametrize(
    ("text", "chosen", "rejected", "expected"),
    [
        ("changed:2", [5, 6, 7, 0], [5, 8, 7, 0], [[1, 2, 1, 1], [1, 2, 1, 1]]),
        ("changed:1,common:0", [5, 6, 7, 0], [5, 8, 7, 0], [[0, 1, 0, 0], [0, 1, 0, 0]]),
        ("common:0.5,changed:4", [5, 0], [5, 9, 9, 0], [[0.5, 0.5], [0.5, 4, 4, 0.5]]),
        ("w", [5, 6, 0], [5, 8, 0], [[1, 3, 1], [1, 3, 1]]),
        ("changed:w,common:0", [6, 5, 0], [5, 0], [[3, 0, 0], [0, 0]]),
        ("changed:2", [5, 5, 5, 0], [5, 5, 0], [[1, 1, 2, 1], [1, 1, 1]]),
    ],
)
def test_by_hand(text, chosen, rejected, expected):
    assert sorted(weighed(text, chosen, rejected)[0]) == sorted(expected[0])
    assert weighed(text, chosen, rejected)[1] == expected[1]


@given(
    chosen=st.lists(st.integers(0, 4), min_size=1, max_size=30),
    rejected=st.lists(st.integers(0, 4), min_size=1, max_size=30),
)
def test_common_tokens_are_a_common_subsequence(chosen, rejected):
    """What is left of each side without its changed tokens is the same, and cannot be longer."""
    sides = zip((chosen, rejected), weighed("changed:0,common:1", chosen, rejected), strict=True)
    kept = [[token for token, weight in zip(*side, strict=True) if weight] for side in sides]
    assert kept[0] == kept[1]
    longest = [[0] * (len(rejected) + 1) for _ in range(len(chosen) + 1)]
    for i, one in enumerate(chosen):
        for j, other in enumerate(rejected):
            best = max(longest[i][j + 1], longest[i + 1][j])
            longest[i + 1][j + 1] = longest[i][j] + 1 if one == other else best
    assert len(kept[0]) == longest[-1][-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("changed:", "write changed:W"),
        ("changed:2,changed:3", "write changed:W"),
        ("shared:2", "write changed:W"),
        ("changed:2,common:often", "common is a number"),
        ("changed:-1", "weights are finite numbers, 0 or more"),
        ("changed:nan", "weights are finite numbers"),
        ("changed:1,common:inf", "weights are finite numbers"),
        ("changed:0,common:0", "no token would count"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(tiny, text, said):
    with pytest.raises(UsageError, match=said):
        tiny.config(token_weight=text)


def test_ranked_losses_have_no_pairs_to_compare(tiny):
    with pytest.raises(UsageError, match="rrhf takes answers, not pairs: leave out token_weight"):
        tiny.config(loss="rrhf", token_weight="changed:2")


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "much", None, True])
@pytest.mark.parametrize("column", ["weight", "w"])
def test_bad_weights_are_named_by_file_row_and_column(tiny, column, value):
    rows = [row | {column: 1.0} for row in numbered_pairs(3)]
    rows[1][column] = value
    path = write_jsonl(tiny.folder / "bad.jsonl", rows)
    settings = {"token_weight": "w"} if column == "w" else {}
    config = tiny.config(data=path, **settings)
    if column == "weight" and value is None:  # nothing is said of it, so it counts as every other
        assert load_pairs(config, load_tokenizer(config.model)).training[1].weight == 1
        return
    with pytest.raises(
        UsageError, match=rf"bad\.jsonl line 2: `{column}` must be a finite number, 0 or more"
    ):
        load_pairs(config, load_tokenizer(config.model), TokenWeights.parse("w") if settings else None)


def test_a_column_that_is_not_there_is_named(tiny):
    config = tiny.config(token_weight="w")
    with pytest.raises(UsageError, match=r"pairs\.jsonl line 1: no column `w`, which token_weight names"):
        load_pairs(config, load_tokenizer(config.model), TokenWeights.parse("w"))
