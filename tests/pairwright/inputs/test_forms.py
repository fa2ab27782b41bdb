"""Rows as well-known data sets have them."""

from pathlib import Path
from typing import Any

import pytest
from form_rows import ASKED, COLD, EXAMPLES, PREFERRED, TREE, WARM, said
from places import ROOT
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import Columns
from pairwright.inputs.config import SourceConfig
from pairwright.inputs.forms.table import FORMS
from pairwright.inputs.pairs import read_pairs
from pairwright.inputs.rows import Input
from pairwright.inputs.sources import records


@pytest.mark.parametrize("form", PREFERRED)
def test_what_people_preferred_is_chosen(tmp_path: Path, form: str) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [PREFERRED[form]])
    [pair] = read_pairs([str(path)])
    assert [message.model_dump() for message in pair.prompt] == ASKED
    assert (pair.chosen.content, pair.rejected.content) == (COLD, WARM)
    [row] = Candidates(str(path), Columns(), None)
    assert {COLD, WARM} <= {candidate.text for candidate in row.candidates}
    models = {candidate.text: candidate.model for candidate in row.candidates}
    assert models[COLD] in {None, "y", "chosen", "response_a", "response_b"}


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
            "rows.jsonl line 2: the conversations differ before their last answers",
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
    with pytest.raises(UsageError, match="does not repeat its prompt; name the file of requests too"):
        list(records(str(write_jsonl(tmp_path / "rows.jsonl", [row]))))


def requested(name: str, text: str) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}


def answered(name: str, *texts: str, error: Any = None) -> dict[str, Any]:
    choices = [{"index": n, "message": said(text)} for n, text in enumerate(texts)]
    response = {"status_code": 200, "request_id": "r", "body": {"model": "m-1", "choices": choices}}
    return {"id": "b", "custom_id": name, "response": None if error else response, "error": error}


def test_answers_of_a_batch_are_joined_with_their_prompts(tmp_path: Path) -> None:
    """In whatever order they come back; each choice is a row."""
    write_jsonl(tmp_path / "requests.jsonl", [requested("1", "One?"), requested("2", "Two?")])
    write_jsonl(tmp_path / "answers.jsonl", [answered("2", "Zwei.", "Deux."), answered("1", "Eins.")])
    for name in (f"{tmp_path}/requests.jsonl+{tmp_path}/answers.jsonl", f"{tmp_path}/*.jsonl"):
        rows = list(Input(name, Columns(), None))
        found = [(row.prompt[0].content, row.answer, row.carried["completion_model"]) for row in rows]
        assert found == [("Two?", "Zwei.", "m-1"), ("Two?", "Deux.", "m-1"), ("One?", "Eins.", "m-1")]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([answered("1", "A"), answered("3", "B")], "answers.jsonl line 2: `custom_id` '3' is that of no"),
        (
            [answered("1", error={"message": "expired"})],
            "answers.jsonl line 1: the request failed (expired)",
        ),
        ([answered("1", "A")], "requests.jsonl line 2: the batch has no answer to this request ('2')"),
    ],
)
def test_what_a_batch_lacks_is_said(tmp_path: Path, answers: list[dict[str, Any]], reason: str) -> None:
    write_jsonl(tmp_path / "requests.jsonl", [requested("1", "One?"), requested("2", "Two?")])
    write_jsonl(tmp_path / "answers.jsonl", answers)
    with pytest.raises(UsageError) as raised:
        list(records(f"{tmp_path}/requests.jsonl+{tmp_path}/answers.jsonl"))
    assert reason in str(raised.value)


def test_trees_are_answers_with_all_turns_above_them(tmp_path: Path) -> None:
    nested = {
        "message_tree_id": "a",
        "prompt": TREE[1]
        | {"replies": [TREE[2] | {"replies": [TREE[0] | {"replies": [TREE[4]]}]}, TREE[3]]},
    }
    for rows in (TREE, [nested]):
        path = str(write_jsonl(tmp_path / "rows.jsonl", rows))
        answers = {row.answer: [m.content for m in row.prompt] for row in Input(path, Columns(), None)}
        above = [*(m["content"] for m in ASKED), COLD, "In summer?"]
        assert answers == {COLD: above[:1], WARM: above[:1], "Never.": above}
        ranked = [pair for pair in read_pairs([path]) if not pair.tied]
        assert [(pair.chosen.content, pair.rejected.content) for pair in ranked] == [(COLD, WARM)]
    broken = write_jsonl(tmp_path / "rows.jsonl", [TREE[2], TREE[4]])
    with pytest.raises(UsageError, match="line 1: `parent_id` 'a' is the `message_id` of no row"):
        list(records(str(broken)))


@pytest.mark.parametrize("unranked", [{"rank": None}, {"rank": -1, "deleted": True}])
def test_answers_of_trees_without_a_rank_are_in_no_pair_which_is_said(
    tmp_path: Path, caplog: Any, unranked: dict[str, Any]
) -> None:
    """The first of them has none, and an only answer is beside no other."""
    more = [
        {"message_id": "0", "parent_id": "a", "text": "Unread.", "role": "assistant", **unranked},
        *TREE,
    ]
    nested = {"message_tree_id": "a", "prompt": TREE[1] | {"replies": [more[0], TREE[2], TREE[3]]}}
    for rows in (more, [nested]):
        path = str(write_jsonl(tmp_path / "rows.jsonl", rows))
        assert "Unread." in [row.answer for row in Input(path, Columns(), None)], "it can be judged"
        ranked = [pair for pair in read_pairs([path]) if not pair.tied]
        assert [(pair.chosen.content, pair.rejected.content) for pair in ranked] == [(COLD, WARM)]
        assert f"{path}: 1 answers have no rank among others, and are in no pair" in caplog.text
        caplog.clear()


def test_unpaired_rows_are_answers_with_a_score(tmp_path: Path) -> None:
    rows = [{"prompt": "Q", "completion": c, "label": good} for c, good in ((WARM, False), (COLD, True))]
    path = str(write_jsonl(tmp_path / "rows.jsonl", rows))
    [pair] = read_pairs([path])
    assert (pair.chosen.content, pair.rejected.content) == (COLD, WARM)
    table = tmp_path / "rows.csv"
    table.write_text(f'prompt,completion,label\nQ,"{WARM}",False\nQ,"{COLD}",True\n')
    assert [pair.chosen.content for pair in read_pairs([str(table)])] == [COLD]


def test_drafts_are_rejected_and_what_users_made_of_them_chosen(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"prompt": "Q", "draft": WARM, "edited": COLD}])
    [pair] = read_pairs([str(path)])
    assert (pair.chosen.content, pair.rejected.content) == (COLD, WARM)


BOTH = {"prompt": "Q", "chosen": COLD, "rejected": WARM, "messages": [*ASKED, said("Very.")]}


def test_rows_that_fit_two_forms_are_read_as_one_which_is_said(tmp_path: Path, caplog: Any) -> None:
    path = str(write_jsonl(tmp_path / "rows.jsonl", [BOTH]))
    [row] = Candidates(path, Columns(), None)
    assert {c.text for c in row.candidates} == {COLD, WARM}
    assert (
        "line 1: fits the forms `pairs` and `messages` and is read as `pairs`; --form messages"
        in caplog.text
    )
    [row] = Input(f"messages@{path}", Columns(), None)
    assert (row.prompt[0].content, row.answer) == (ASKED[0]["content"], "Very.")
    assert row.carried == {"input_prompt": "Q", "input_chosen": COLD, "input_rejected": WARM}
    assert (
        Input(path, Columns(), None).info.sha256 != Input(f"messages@{path}", Columns(), None).info.sha256
    )


def test_a_form_that_is_named_must_be_that_of_the_rows(tmp_path: Path) -> None:
    path = str(write_jsonl(tmp_path / "rows.jsonl", [BOTH]))
    with pytest.raises(UsageError, match="line 1: is not of the form `shp`, which has `history`"):
        list(records(f"shp@{path}"))
    with pytest.raises(UsageError, match="--form mesages: no such form; do you mean `messages`"):
        SourceConfig(form="mesages").split_of(path)
    (tmp_path / "shp@rows.jsonl").write_text("{}\n")
    assert list(records(f"{tmp_path}/shp@rows.jsonl")) == [{}]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (
            {"prompt": "Q", "completion": "A"},
            {"messages": ASKED},
            "of the form `messages`, and the rows before",
        ),
        (
            {"instruction": "Q", "output": "A"},
            PREFERRED["shp"],
            "of the form `shp`, and the rows before it are",
        ),
        (
            PREFERRED["arena"],
            {"prompt": "Q", "chosen": "A", "rejected": "B"},
            "of the form `pairs`, and the",
        ),
    ],
)
def test_two_forms_in_one_file_are_told(tmp_path: Path, first: Any, second: Any, reason: str) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [first, second])
    with pytest.raises(UsageError) as raised:
        Input(str(path), Columns(), None)
    assert f"rows.jsonl line 2: is {reason}" in str(raised.value)


@pytest.mark.parametrize("spelt", [(True, False), (1, 0), ("1", "0"), ("True", "false")])
def test_labels_are_true_or_false_as_tables_spell_them(tmp_path: Path, spelt: tuple[Any, Any]) -> None:
    rows = [{"prompt": "Q", "completion": f"A{n}", "label": label} for n, label in enumerate(spelt)]
    found = list(records(str(write_jsonl(tmp_path / "rows.jsonl", rows))))
    assert [(row["label"], row["score"]) for row in found] == [(True, 1.0), (False, 0.0)]


def test_keys_without_a_value_make_no_other_conversation(tmp_path: Path) -> None:
    row = EXAMPLES["arena"][0]
    told = [turn | {"image": None} for turn in row["conversation_a"]]
    for one in (row, row | {"conversation_a": told}):
        (read,) = records(str(write_jsonl(tmp_path / "rows.jsonl", [one])))
        assert len(read["completions"]) == 2


def test_every_form_has_a_line_of_documentation() -> None:
    page = (ROOT / "docs" / "rows.md").read_text()
    for form in FORMS:
        columns = ", ".join(f"`{name}`" for name in form.columns)
        assert f"| `{form.name}` | {columns} | {form.example} | {form.said} |" in page


@pytest.mark.parametrize(
    ("form", "column", "value", "reason"),
    [
        ("shp", "human_ref_A", 5, "`human_ref_A` must be text, and is 5"),
        ("rated", "ratings", [1.0, None], "`ratings` must be a number, and is None"),
        ("rated", "ratings", [1.0], "`generations` has 2 entries and `ratings` has 1"),
        ("webgpt", "score_0", "good", "`score_0` must be a number, and is 'good'"),
        ("pku", "response_1", True, "`response_1` must be text, and is True"),
        ("helpsteer", "helpfulness", "very", "`helpfulness` must be a number, and is 'very'"),
        ("helpsteer3", "overall_preference", None, "`overall_preference` must be a number, and is None"),
        ("kto", "label", "maybe", "`label` must be true or false, and is 'maybe'"),
        ("arena", "conversation_a", "Hm", "`conversation_a` and `conversation_b` must be lists"),
        ("openai_preference", "input", {"x": 1}, "`input` has no `messages`"),
    ],
)
def test_a_broken_row_is_told_by_the_column_that_it_has(
    tmp_path: Path, form: str, column: str, value: Any, reason: str
) -> None:
    good = EXAMPLES[form][0]
    path = write_jsonl(tmp_path / "rows.jsonl", [good, good | {column: value}])
    with pytest.raises(UsageError) as raised:
        list(records(str(path)))
    assert f"rows.jsonl line 2: {reason}" in str(raised.value)
