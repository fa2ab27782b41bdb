"""Rows as well-known data sets have them."""

from pathlib import Path
from typing import Any

import pytest
from places import ROOT
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import Columns
from pairwright.inputs.forms import FORMS
from pairwright.inputs.pairs import read_pairs
from pairwright.inputs.rows import Input
from pairwright.inputs.sources import records

ASKED = [{"role": "user", "content": "How cold is it?"}]
COLD, WARM = "Five below zero, at noon.", "Five above zero, at noon."


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


PREFERRED: dict[str, dict[str, Any]] = {
    "openai_preference": {
        "input": {"messages": ASKED, "tools": [], "parallel_tool_calls": True},
        "preferred_output": [said(COLD)],
        "non_preferred_output": [said(WARM)],
    },
    "arena": {
        "question_id": "7", "model_a": "x", "model_b": "y", "winner": "model_b",
        "conversation_a": [*ASKED, said(WARM)], "conversation_b": [*ASKED, said(COLD)],
    },
    "helpsteer3": {
        "context": ASKED, "response1": COLD, "response2": WARM, "overall_preference": -2,
    },
    "shp": {
        "history": ASKED[0]["content"], "human_ref_A": WARM, "human_ref_B": COLD, "labels": 0, "score_A": 3,
    },
    "webgpt": {
        "question": {"full_text": ASKED[0]["content"]}, "answer_0": WARM, "answer_1": COLD,
        "score_0": -0.5, "score_1": 0.5,
    },
    "summaries": {
        "info": {"id": "7", "post": ASKED[0]["content"]}, "summaries": [{"text": WARM}, {"text": COLD}],
        "choice": 1,
    },
    "pku": {
        "prompt": ASKED[0]["content"], "response_0": COLD, "response_1": WARM, "better_response_id": 0,
        "safer_response_id": 1,
    },
    "nectar": {
        "prompt": "\n\nHuman: How cold is it?\n\nAssistant: ", "num_responses": 3, "good_natured": True,
        "answers": [
            {"answer": WARM, "model": "x", "rank": 3.0}, {"answer": COLD, "model": "y", "rank": 1.0},
            {"answer": "Not at all.", "model": "z", "rank": 2.0},
        ],
    },
    "rated": {
        "instruction": ASKED[0]["content"], "generations": [WARM, COLD], "ratings": [1.0, 9.0],
        "generation_models": ["x", "y"],
    },
    "stack": {
        "qid": 7, "question": ASKED[0]["content"],
        "answers": [{"text": WARM, "pm_score": 0}, {"text": COLD, "pm_score": 6}],
    },
}  # fmt: skip


@pytest.mark.parametrize("form", PREFERRED)
def test_what_people_preferred_is_chosen(tmp_path: Path, form: str) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [PREFERRED[form]])
    [pair] = read_pairs([str(path)])
    assert [message.model_dump() for message in pair.prompt] == ASKED
    assert (pair.chosen.content, pair.rejected.content) == (COLD, WARM)
    [row] = Candidates(str(path), Columns(), None)
    assert {COLD, WARM} <= {candidate.text for candidate in row.candidates}
    models = {candidate.text: candidate.model for candidate in row.candidates}
    assert models[COLD] in {None, "y", "chosen"}


def test_attributes_are_scores(tmp_path: Path) -> None:
    """By helpfulness, over the answers of a prompt."""
    marks = {"correctness": 4, "coherence": 4, "complexity": 1, "verbosity": 1}
    rows = [{"prompt": "Q", "response": r, "helpfulness": h, **marks} for r, h in ((WARM, 1), (COLD, 4))]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    [pair] = read_pairs([str(path)])
    assert (pair.chosen.content, pair.rejected.content) == (COLD, WARM)
    assert [row.answer for row in Input(str(path), Columns(), None)] == [WARM, COLD]


def test_labelled_pairs_of_a_test_of_judges(tmp_path: Path) -> None:
    row = {"input": ASKED[0]["content"], "output_1": COLD, "output_2": WARM, "label": 1}
    [found] = records(str(write_jsonl(tmp_path / "rows.jsonl", [row])))
    assert found == {
        "prompt": ASKED[0]["content"], "response_a": COLD, "response_b": WARM, "preference": 1,
    }  # fmt: skip


def test_requests_of_a_batch_are_prompts(tmp_path: Path) -> None:
    request = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions"}
    path = write_jsonl(tmp_path / "rows.jsonl", [request | {"body": {"model": "m", "messages": ASKED}}])
    [row] = Input(str(path), Columns(), None)
    assert [message.model_dump() for message in row.prompt] == ASKED
    assert row.carried == {"custom_id": "1"}


def test_a_tie_is_one(tmp_path: Path) -> None:
    for tie in (
        PREFERRED["arena"] | {"winner": "tie"},
        PREFERRED["helpsteer3"] | {"overall_preference": 0},
    ):
        [pair] = read_pairs([str(write_jsonl(tmp_path / "rows.jsonl", [tie]))])
        assert pair.tied


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            PREFERRED["arena"] | {"conversation_a": [{"role": "user", "content": "Else?"}, said(WARM)]},
            "rows.jsonl line 2: the conversations part before their last answers",
        ),
        ({"prompt": "Q"}, "rows.jsonl line 2: no `conversation_a`, `conversation_b`, `model_a`"),
    ],
)
def test_a_row_that_is_not_as_the_first_is_named(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [PREFERRED["arena"], row])
    with pytest.raises(UsageError) as raised:
        list(records(str(path)))
    assert reason in str(raised.value)


def test_answers_of_a_batch_say_what_is_missing(tmp_path: Path) -> None:
    row = {"id": "b", "custom_id": "1", "response": {"body": {"choices": []}}, "error": None}
    with pytest.raises(UsageError, match="does not repeat its prompt; name the requests"):
        list(records(str(write_jsonl(tmp_path / "rows.jsonl", [row]))))


def test_columns_that_tell_a_form_tell_no_other() -> None:
    for form in FORMS:
        row = dict.fromkeys(form.columns)
        assert [other.name for other in FORMS if set(other.columns) <= row.keys()] == [form.name]


def test_every_form_has_a_line_of_documentation() -> None:
    page = (ROOT / "docs" / "rows.md").read_text()
    assert [form.name for form in FORMS if f"`{form.name}`" not in page] == []
