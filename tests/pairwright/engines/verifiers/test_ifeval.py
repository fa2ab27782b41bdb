"""IFEval's instructions beside the published checker, and in words.

`tests/golden/ifeval_verdicts.jsonl` holds 200 prompts written for this project with an answer each: by
SmolLM2-135M-Instruct, every second one mended so that the request is met. `strict` and `loose` are
what the checker published with IFEval (the copy in lm-eval 0.4.13) says of them.
"""

import json
from typing import Any

import pytest
from places import GOLDEN

from pairwright.engines.verifiers.checks import make_check
from pairwright.engines.verifiers.ifeval.check import INSTRUCTIONS, follows

VERDICTS = GOLDEN / "ifeval_verdicts.jsonl"


def stored() -> list[dict[str, Any]]:
    return [json.loads(line) for line in VERDICTS.read_text().splitlines()]


@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_every_verdict_is_that_of_the_published_checker(mode: str) -> None:
    rows, seen = stored(), set()
    assert len(rows) == 200
    for row in rows:
        names, given = row["instruction_id_list"], row["kwargs"]
        assert follows(row["answer"], names, given, loose=mode == "loose") == row[mode], row["prompt"]
        seen |= {(name, held) for name, held in zip(names, row[mode], strict=True)}
    assert {name for name, _ in seen} == set(INSTRUCTIONS)  # all 25
    assert {name for name, held in seen if held} == set(INSTRUCTIONS)  # each followed somewhere


def test_the_score_is_the_share_that_is_followed_and_the_rest_is_said() -> None:
    check = make_check("check:ifeval")
    row = {
        "instruction_id_list": ["punctuation:no_comma", "keywords:existence"],
        "kwargs": [{"keywords": None}, {"keywords": ["oak", "elm"], "num_words": None}],
    }
    assert check("", "an oak and an elm", row) == (1.0, "")
    assert check("", "an oak", row) == (0.5, "the answer must contain “oak”, “elm”")
    assert check("", "an oak, an elm", row) == (0.5, "the answer must have no commas")
    assert check("", " ", row)[0] == 0.0
    assert check("", "an oak and an elm", row | {"kwargs": json.dumps(row["kwargs"])}) == (1.0, "")


def test_ifbench_is_checked_by_its_own_library() -> None:
    row = {
        "instruction_id_list": ["count:word_count_range", "format:no_whitespace"],
        "kwargs": [{"min_words": 2, "max_words": 4, "n": None}, {}],
    }
    check = make_check("check:ifbench")
    assert check("", "an oak tree", row) == (0.5, "not followed: format:no_whitespace")
    with pytest.raises(ValueError, match="'no:such' is no instruction of IFBench"):
        check("", "an oak tree", {"instruction_id_list": ["no:such"], "kwargs": [{}]})


@pytest.mark.parametrize(
    ("names", "given", "sentence"),
    [
        (["no:such"], [{}], "'no:such' is no instruction of IFEval"),
        (["punctuation:no_comma"], [], "1 instructions and 0 sets of arguments"),
        (["length_constraints:number_words"], [{"num_words": 3}], "has no relation"),
        (["length_constraints:number_words"], [{"num_words": 3, "relation": "about"}], "neither"),
    ],
)
def test_data_that_cannot_be_read_is_named(names: list[str], given: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        follows("an oak", names, given)
