"""Answers that end in a loop are known, and others are not taken for such."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT
from planted_judge import candidates, choosing, plant, seed
from runs_on_disk import rows_of, write_jsonl

from judge.command import judge
from judge.comparable import COPIES, repetition
from judge.config import JudgeConfig
from judge.stage import JudgeStage

LOOP = "Let me know if you need more. "


@given(
    before=st.text(alphabet="abcdefg hij", max_size=80),
    passage=st.text(alphabet="klmn opq", min_size=1, max_size=40).filter(str.strip),
    copies=st.integers(COPIES, 12),
)
def test_a_repeated_end_is_found_wherever_it_begins(before, passage, copies):
    more = copies * (1 + (100 + len(before)) // len(passage))
    assert repetition(before + passage * more) is not None


def test_by_hand():
    assert repetition("Sure. " + LOOP * 9) == "repeating: it ends with the same 30 characters 9 times"
    assert repetition("Sure. " + LOOP * 4) is None
    assert repetition("ha " * 20) is None  # laughter, not a loop
    assert repetition("word " * 40) == "repeating: it ends with the same 5 characters 39 times"
    assert repetition(LOOP * 9 + "That is all.") is None
    assert repetition("") is None


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/*.md")) + sorted(ROOT.glob("judge/*.py")))
def test_pages_tables_and_code_are_no_loops(path):
    text = path.read_text()
    cuts = range(200, len(text), max(200, len(text) // 40))
    assert [cut for cut in cuts if repetition(text[:cut])] == []


def test_such_an_answer_is_left_out_of_the_comparison(tmp_path):
    path = write_jsonl(
        tmp_path / "answers.jsonl",
        [
            {"prompt": "Q0?", "one": "short", "two": LOOP * 20, "three": "a longer one"},
            {"prompt": "Q1?", "one": "short", "two": LOOP * 20, "three": None},
        ],
    )
    config = JudgeConfig(
        input=str(path),
        columns="one,two,three",
        judge=f"canned:{seed(tmp_path / 'judge.jsonl')}",
        out=str(tmp_path / "run"),
    )
    asked: list[str] = []

    def reply(request):
        asked.append(request.messages[-1].content)
        return choosing(lambda q: len(q.first) > len(q.second))(request)

    rows = candidates(path, "one", "two", "three")
    plant(tmp_path / "judge.jsonl", JudgeStage(config), rows, reply)
    manifest = judge(config)
    assert manifest is not None
    assert manifest.counts == {"kept": 1, "too_few": 1}
    assert not [text for text in asked if LOOP in text]
    [kept, dropped] = sorted(rows_of(tmp_path / "run"), key=lambda row: row["prompt"][0]["content"])
    assert kept["chosen"][0]["content"] == "a longer one"
    assert dropped["reason"].startswith(
        "1 usable answer to the prompt (repeating: it ends with the same 30"
    )
