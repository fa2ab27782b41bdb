"""`revise --pairs chain`: a pair for each edit of a list."""

import json
from typing import Any

import pytest
from revising import play, row, stage

from pairwright.errors import UsageError
from pairwright.pairs.minimality import measure
from pairwright.records import Completion, Outcome

WORSE = "Two plus two is five, as is well known. Three plus three is seven, as is known too."
BETWEEN = WORSE.replace("five", "four")
BETTER = BETWEEN.replace("seven", "six")


def revised(*swaps: tuple[str, str], answer: str = WORSE, **settings: Any) -> Outcome:
    edits = [{"find": find, "replace": new, "reason": f"to {new}"} for find, new in swaps]
    said = Completion(text=json.dumps({"edits": edits}), model="m", prompt_tokens=7, completion_tokens=3)
    _, outcome = play(stage(mode="edits", pairs="chain", **settings), row(answer, plain="Say."), said)
    return outcome


def texts(columns: dict[str, Any]) -> tuple[str, str]:
    return columns["rejected"][0]["content"], columns["chosen"][0]["content"]


def test_each_edit_makes_a_pair_over_the_answer_before_it() -> None:
    outcome = revised(("five", "four"), ("seven", "six"))
    first, second = outcome.columns, *outcome.further
    assert (texts(first), texts(second)) == ((WORSE, BETWEEN), (BETWEEN, BETTER))
    assert [(step["step"], step["steps"]) for step in (first, second)] == [(1, 2), (2, 2)]
    assert (second["rationale"], second["edits"][0]["find"]) == ("to six", "seven")
    assert second["edit_distance"] == measure(BETTER, BETWEEN, original=BETWEEN).edit_distance
    assert (first["completion_tokens"], second["completion_tokens"]) == (3, 0)
    assert {step["source"] for step in (first, second)} == {"clair_chain"}


def test_a_worsened_answer_goes_down_step_by_step() -> None:
    outcome = revised(("six", "seven"), ("four", "five"), answer=BETTER, direction="worsen")
    pairs = [texts(step) for step in (outcome.columns, *outcome.further)]
    assert [chosen for _, chosen in pairs] == [BETTER, BETTER.replace("four", "five")]
    assert pairs[-1][0] == WORSE


def test_one_edit_is_one_step_and_each_step_has_its_mirror() -> None:
    alone = revised(("five", "four"))
    assert (alone.further, alone.columns["steps"]) == ((), 1)
    mirrored = revised(("five", "four"), ("seven", "six"), mirror="plain")
    assert [texts(pair) for pair in mirrored.further] == [
        (BETWEEN, BETTER),
        (BETWEEN, WORSE),
        (BETTER, BETWEEN),
    ]


def test_columns_of_a_chain_are_in_the_schema() -> None:
    columns = revised(("five", "four"), ("seven", "six")).columns
    assert set(columns) <= {*stage(mode="edits", pairs="chain").schema.names, "reasoning", "plain"}


def test_a_whole_rewriting_is_no_chain() -> None:
    with pytest.raises(UsageError, match="--pairs chain: needs --mode edits"):
        stage(pairs="chain")
