"""An engine of the user's own, a class in a file, judges, verifies and revises as any other engine does."""

import json
from pathlib import Path

import pytest
from runs_on_disk import rows_of, write_jsonl

from pairwright.cli import run_command
from pairwright.errors import PairwrightError

ENGINE = """
import math
import re
from own_engines import Answering
from pairwright.engines import EngineKind
from pairwright.records import Completion

def reply(text):
    if labels := re.findall(r"^(\\w+)\\. The (?:first|second) response", text, re.M):
        first, second = re.findall(r"<(?:first|second) response \\w+>\\n(.*)\\n", text)
        best = labels[0] if "good" in first else labels[1]
        found = {label: math.log(0.9 if label == best else 0.1) for label in labels}
        return Completion(text=best, top_logprobs=(found,))
    return Completion(text="<revision>bad no more</revision>")

class Kind(EngineKind):
    help = "my own"

    def open(self, name, options, spec):
        return Answering(spec, "likes-good#1", reply)

    def identity(self, name, options):
        return "likes-good#1"

    def reports_logprobs(self, name):
        return True
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(ENGINE)
    write_jsonl(Path("answers.jsonl"), [{"prompt": f"p{n}", "a": "good", "b": "bad"} for n in range(4)])


@pytest.mark.parametrize("name", ["own.py:Kind", "python:own.py:Kind"])
def test_it_judges_in_words_by_its_log_probabilities(name: str) -> None:
    run_command(["judge", "answers.jsonl", "--columns", "a,b", "--judge", name, "--out", "out"])
    rows = rows_of(Path("out"))
    assert [row["chosen"][0]["content"] for row in rows] == ["good"] * 4
    assert all(row["verdict"]["preference"] == pytest.approx(0.9) for row in rows)
    assert json.loads(Path("out/run.json").read_text())["engines"]["judge"].endswith("likes-good#1")


def test_it_verifies_pairs() -> None:
    given = ["judge", "answers.jsonl", "--answer_column", "b", "--stronger", "a", "--out", "out"]
    run_command([*given, "--verify", "own.py:Kind"])
    assert len(rows_of(Path("out"))) == 4


def test_it_revises() -> None:
    given = ["revise", "answers.jsonl", "--answer_column", "b", "--out", "out"]
    run_command(
        [*given, "--reviser", "python:own.py:Kind", "--max_length_ratio", "5", "--min_kept_share", "0"]
    )
    assert [row["chosen"][0]["content"] for row in rows_of(Path("out"))] == ["bad no more"] * 4


OPENED = 'Answering(spec, "likes-good#1", reply)'
RAISES = """
def reply(text):
    raise KeyError("no-such-setting")
"""
STRAYS = """
from pairwright.engines import Finished
from pairwright.records import Completion

class Strays(Answering):
    def poll(self, timeout=None):
        return RETURNED
"""


def revised_by(source: str) -> str:
    """The sentence in which a run ends whose engine has this source."""
    Path("own.py").write_text(source)
    given = ["revise", "answers.jsonl", "--answer_column", "b", "--reviser", "python:own.py:Kind"]
    with pytest.raises(PairwrightError) as caught:
        run_command([*given, "--out", "out"])
    return str(caught.value)


def test_what_it_raises_is_told_with_its_own_line() -> None:
    source = ENGINE + RAISES
    line = source[: source.index("raise KeyError")].count("\n") + 1
    said = revised_by(source)
    assert said.startswith(f"python:own.py:Kind: KeyError: 'no-such-setting' (own.py, line {line}); ")
    assert said.endswith("mend it and run the same command again")


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("None", "its poll gave NoneType, where a list of pairwright.engines.Finished is due"),
        ("['done']", "its poll gave list, where a list of pairwright.engines.Finished is due"),
        ("[Finished('another', Completion(text='x'))]", "its poll finished a job that it was not given"),
    ],
)
def test_completions_that_are_none_are_told(returned: str, said: str) -> None:
    strays = STRAYS.replace("RETURNED", returned)
    assert revised_by((ENGINE + strays).replace("return Answering(", "return Strays(")).endswith(said)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            ENGINE.replace(OPENED, "object()"),
            "its engine, a object, has no spec and no identity and no capacity and no submit",
        ),
        (ENGINE.replace(OPENED, "1 / 0"), "cannot be opened: ZeroDivisionError: division by zero (own.py,"),
        (ENGINE.replace('return "likes-good#1"', "1 / 0"), "does not say its identity: ZeroDivisionError"),
    ],
)
def test_an_engine_that_cannot_work_is_refused(source: str, said: str) -> None:
    assert said in revised_by(source)
