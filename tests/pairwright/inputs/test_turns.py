"""Turns of conversations as rows, answers of several messages, and every answer of a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import run
from runs_on_disk import TAGGED, rows_of, write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import Columns
from pairwright.inputs.pairs import read_pairs
from pairwright.inputs.rows import Input
from pairwright.inputs.turns import each_turn
from pairwright.records import Message


def turn(role, content, **more):
    return {"role": role, "content": content} | more


TALK = [
    turn("system", "Be brief."),
    turn("user", "One?"),
    turn("assistant", "Eins."),
    turn("user", "Two?"),
    turn("assistant", "Zwei."),
    turn("user", "Three?"),
    turn("assistant", "Drei."),
]


def read(tmp_path, row, kind=Input, **wanted):
    path = write_jsonl(tmp_path / "rows.jsonl", [row])
    answers = wanted.pop("answers", True)
    return list(kind(str(path), Columns(**wanted), None, answers=answers))


@pytest.mark.parametrize("row", [{"messages": TALK}, {"prompt": TALK[:-1], "completion": "Drei."}])
@pytest.mark.parametrize(
    ("wanted", "answers"),
    [(None, ["Drei."]), ("all", ["Eins.", "Zwei.", "Drei."]), ("1", ["Eins."]), ("-2", ["Zwei."])],
)
def test_each_turn_is_a_row_with_its_history_as_prompt(tmp_path, row, wanted, answers):
    rows = read(tmp_path, row, turn=wanted)
    assert [r.answer for r in rows] == answers
    for found in rows:
        place = 1 + [m["content"] for m in TALK].index(found.answer)
        assert [m.model_dump() for m in found.prompt] == TALK[: place - 1]
    judged = read(tmp_path, row, Candidates, turn=wanted)
    assert [[c.text for c in r.candidates] for r in judged] == [[answer] for answer in answers]


def test_turns_that_are_sampled_are_prompts(tmp_path):
    rows = read(tmp_path, {"prompt": TALK[:-1]}, turn="all", answers=False)
    assert [len(r.prompt) for r in rows] == [2, 4, 6]
    assert {r.answer for r in rows} == {None}


def test_a_call_of_a_tool_is_no_turn_of_its_own(tmp_path):
    call = {"id": "1", "type": "function", "function": {"name": "sum", "arguments": "{}"}}
    talk = [
        turn("assistant", "Hello!"),
        turn("user", "2 + 2?"),
        turn("assistant", "", tool_calls=[call]),
        turn("tool", "4", tool_call_id="1"),
        turn("assistant", "Four."),
    ]
    [row] = read(tmp_path, {"messages": talk}, turn="all")
    assert (row.answer, len(row.prompt)) == ("Four.", 4)


def test_a_turn_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        UsageError, match=r"line 1: the conversation has 3 turns of the assistant, and no turn 4"
    ):
        read(tmp_path, {"messages": TALK}, turn="4")


@pytest.mark.parametrize(
    "answers", [{"response_a": "Drei.", "response_b": "Vier."}, {"completions": ["Drei.", "Vier."]}]
)
def test_several_answers_are_to_the_last_turn(tmp_path, answers):
    row = {"prompt": TALK[:-1]} | answers
    found = read(tmp_path, row, Candidates, turn="all")
    said = [[c.text for c in r.candidates] for r in found]
    assert said == [["Eins."], ["Zwei."], ["Drei.", "Vier."]]
    assert [len(r.prompt) for r in found] == [2, 4, 6]
    for turn, place in (("-1", 2), ("2", 1)):
        [one] = read(tmp_path, row, Candidates, turn=turn)
        assert (one.prompt, one.candidates) == (found[place].prompt, found[place].candidates)
    with pytest.raises(UsageError, match="has 3 turns of the assistant, and no turn 4"):
        read(tmp_path, row, Candidates, turn="4")
    if "completions" in row:  # one by one
        rows = read(tmp_path, row, turn="all")
        assert [r.answer for r in rows] == ["Eins.", "Zwei.", "Drei.", "Vier."]
        assert [r.answer for r in read(tmp_path, row, turn="-1")] == ["Drei.", "Vier."]


@given(st.lists(st.sampled_from(["user", "assistant", "tool", "system"]), min_size=1), st.booleans())
def test_no_turn_is_lost_or_made_up(roles, answered):
    prompt = tuple(Message(role=role, content=str(n)) for n, role in enumerate(roles))
    answer = "the end" if answered else None
    found = list(each_turn("row", prompt, answer, "all", asked=False))
    inside = [n for n, r in enumerate(roles) if r == "assistant" and n and roles[n - 1] in ("user", "tool")]
    assert [said for _, _, said in found[: len(inside)]] == [str(n) for n in inside]
    assert len(found) == len(inside) + (answered or not inside)
    for _, before, _ in found:
        assert before == prompt[: len(before)]
    for number, one in enumerate(found, start=1):
        assert list(each_turn("row", prompt, answer, str(number), asked=False)) == [one]
        assert list(each_turn("row", prompt, answer, str(number - 1 - len(found)), asked=False)) == [one]


def test_turns_are_revised_by_the_command(tmp_path, capfd):
    path = write_jsonl(tmp_path / "rows.jsonl", [{"messages": TALK}])
    replies = [
        {"match": f"<answer>\n{said}", "text": TAGGED.format(f"{said[:-1]}, gut.")}
        for said in ("Eins.", "Zwei.", "Drei.")
    ]
    reviser = f"canned:{write_jsonl(tmp_path / 'reviser.jsonl', replies)}"
    flags = ["--min_kept_share", "0", "--max_edit_distance", "1", "--max_length_ratio", "9"]
    command = ["revise", str(path), "--reviser", reviser, "--out", str(tmp_path / "run"), *flags]
    assert run(capfd, *command, "--turn", "all")[0] == 0
    rows = {row["rejected"][0]["content"]: row for row in rows_of(tmp_path / "run")}
    assert {text: len(row["prompt"]) for text, row in rows.items()} == {"Eins.": 2, "Zwei.": 4, "Drei.": 6}
    assert rows["Zwei."]["chosen"][0]["content"] == "Zwei, gut."
    code, _, err = run(capfd, *command, "--turn", "2")
    assert (code, "turn" in err) == (2, True), "another setting of the same folder is refused by name"
    code, _, err = run(capfd, *command, "--turn", "0")
    assert (code, "--turn" in err) == (2, True)


def test_of_an_answer_of_several_messages_the_last_is_the_answer(tmp_path):
    more = [turn("assistant", "Let me see."), turn("user", "Well?"), turn("assistant", "Four.")]
    [row] = read(tmp_path, {"prompt": "2 + 2?", "completion": more})
    assert ([m.content for m in row.prompt], row.answer) == (["2 + 2?", "Let me see.", "Well?"], "Four.")
    pair = {"prompt": "2 + 2?", "chosen": more, "rejected": [*more[:2], turn("assistant", "Five.")]}
    [found] = read_pairs([str(write_jsonl(tmp_path / "rows.jsonl", [pair]))])
    assert (len(found.prompt), found.chosen.content, found.rejected.content) == (3, "Four.", "Five.")
    parted = {**pair, "rejected": [turn("assistant", "Hm."), turn("user", "?"), turn("assistant", "Five.")]}
    with pytest.raises(UsageError, match="differ before their last message"):
        list(read_pairs([str(write_jsonl(tmp_path / "rows.jsonl", [parted]))]))


def test_every_answer_of_a_list_is_a_row_where_answers_are_worked_on_one_by_one(tmp_path):
    row = {
        "prompt": "Q",
        "completions": [{"text": "A", "model": "x"}, None, {"text": "B"}],
        "scores": [1, 0, 2],
    }
    rows = read(tmp_path, row)
    assert [(r.answer, r.candidates[0].model) for r in rows] == [("A", "x"), ("B", None)]
    assert len({r.row_id for r in rows}) == 2
    [none] = read(tmp_path, {"prompt": "Q", "completions": [None]})
    assert none.answer is None
    both = read(tmp_path, {"prompt": "Q", "completion": "C", "completions": ["A", "B"]})
    assert [r.answer for r in both] == ["C"]
    assert both[0].carried == {"input_completions": ["A", "B"]}
