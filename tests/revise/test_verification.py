"""Revisions that verifiers must find better: kept, tried again with feedback, or dropped by name."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from revising import play, row, stage
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.records import Completion
from pairwright.stages.asking import Unanswered
from revise import ReviseConfig, revise

ANSWER = "The capital of Australia is Sydney, which lies on the coast."
RIGHT = ANSWER.replace("Sydney", "Canberra")
CHECKS = """
def right(prompt, answer, row):
    return row["gold"] in answer, "" if row["gold"] in answer else f"it is not {answer.split()[-1]}"

def words(prompt, answer, row):
    return len(answer.split()) / 10

def mend(prompt, answer, row):
    return answer.replace("Sydney", row["gold"]) if "coast" in answer else None

def mend_wrongly(prompt, answer, row):
    return answer.replace("Sydney", "Perth")
"""


@pytest.fixture(autouse=True)
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checks.py"
    path.write_text(CHECKS)
    return path


def score(value: float | None, feedback: str = "") -> Completion:
    return Completion(text=json.dumps({"score": value, "feedback": feedback}))


def said(text: str) -> Completion:
    return Completion(text=f"<rationale>It was wrong.</rationale>\n<revision>{text}</revision>")


def revised(text: str) -> list[Completion]:
    return [score(0.0, "it is not Sydney"), said(text)]


def test_a_revision_that_scores_higher_is_kept_with_both_scores() -> None:
    asked, outcome = play(
        stage(verify="checks.py:right"), row(ANSWER, gold="Canberra"),
        *revised(RIGHT), score(0.0), score(1.0),
    )  # fmt: skip
    assert outcome.status == "kept"
    assert [r.role for r in asked] == ["verifier", "reviser", "verifier", "verifier"]
    assert [outcome.columns[c] for c in ("answer_score", "revision_score", "feedback")] == [0.0, 1.0, ""]
    assert asked[0].columns == {"gold": "Canberra"}
    assert asked[0].messages[-1].content == ANSWER
    assert "A check of the student's answer says: it is not Sydney." in asked[1].messages[0].content


BREAKS = Completion(text="", failure="ValueError: broken (checks.py, line 2)")
CHAIN = "python:checks.py:mend,python:checks.py:mend_wrongly"


@pytest.mark.parametrize(
    ("completions", "status", "reason"),
    [
        ([BREAKS, Completion(text=json.dumps(RIGHT))], "kept", ""),
        ([BREAKS, Completion(text="null")], "failed", "ValueError: broken (checks.py, line 2)"),
        ([Completion(text=json.dumps("No.")), BREAKS], "failed", "ValueError: broken (checks.py, line 2)"),
        ([BREAKS, Completion(text=json.dumps("No."))], "failed", "ValueError: broken (checks.py, line 2)"),
    ],
)
def test_where_a_function_breaks_the_next_reviser_is_tried(
    completions: list[Completion], status: str, reason: str
) -> None:
    asked, outcome = play(stage(reviser=CHAIN), row(ANSWER, gold="Canberra"), *completions)
    assert [r.role for r in asked] == ["reviser_1", "reviser_2"]
    assert (outcome.status, outcome.reason) == (status, reason)


def test_where_a_server_fails_the_row_waits_for_the_next_run() -> None:
    failure = Completion(text="", failure="timed out")
    with pytest.raises(Unanswered, match="timed out"):
        play(stage(reviser="canned:r.jsonl,python:checks.py:mend"), row(ANSWER, gold="Canberra"), failure)


def test_a_chain_goes_on_in_a_run_where_a_function_raises(tmp_path: Path, checks: Path) -> None:
    checks.write_text(CHECKS + "def breaks(prompt, answer, row):\n    raise ValueError('broken')\n")
    chain = "python:checks.py:breaks,python:checks.py:mend"
    assert revise(run_config(tmp_path, reviser=chain)).counts["kept"] > 0


def test_an_answer_that_passes_costs_no_request() -> None:
    asked, outcome = play(stage(verify="checks.py:right"), row(RIGHT, gold="Canberra"), score(1.0))
    assert (outcome.status, outcome.columns["answer_score"]) == ("already_right", 1.0)
    assert [r.role for r in asked] == ["verifier"]


def test_feedback_goes_into_the_next_try_until_there_are_none_left() -> None:
    wrong = ANSWER.replace("Sydney", "Perth")
    again = [said(wrong), score(0.0), score(0.0, "it is not Perth")]
    asked, outcome = play(
        stage(verify="checks.py:right", tries=3), row(ANSWER, gold="Canberra"),
        score(0.0, "it is not Sydney"), *again, *again, *again,
    )  # fmt: skip
    assert outcome.status == "unverified"
    assert outcome.reason == "the revision scores 0, the answer 0: it is not Perth"
    assert (outcome.columns["answer_score"], outcome.columns["revision_score"]) == (0.0, 0.0)
    assert outcome.columns["attempts"] == 3
    asked = [r for r in asked if r.role == "reviser"]
    assert "it is not Perth" in asked[1].messages[-1].content
    assert len(asked[2].messages) == len(asked[1].messages) + 2


@pytest.mark.parametrize(
    ("settings", "answer", "revision", "status"),
    [
        ({}, 0.2, 0.3, "kept"),
        ({"min_gain": 0.1}, 0.2, 0.3, "kept"),
        ({"min_gain": 0.2}, 0.2, 0.3, "unverified"),
        ({"min_score": 0.3}, 0.2, 0.3, "kept"),
        ({"min_score": 0.4}, 0.2, 0.3, "unverified"),
        ({}, 0.2, 0.2, "unverified"),
        ({}, 0.2, None, "unverified"),
        ({}, None, None, "unverified"),
    ],
)
def test_gain_and_score_are_what_the_settings_ask(
    settings: dict[str, float], answer: float | None, revision: float | None, status: str
) -> None:
    _, outcome = play(
        stage(verify="checks.py:words", retry=False, **settings), row(ANSWER),
        score(answer), said(RIGHT), score(answer), score(revision),
    )  # fmt: skip
    assert outcome.status == status


def test_several_verifiers_must_all_find_it_no_worse() -> None:
    both = stage(verify="checks.py:right,checks.py:words", retry=False)
    begun = [score(0.0), score(0.5), said(RIGHT)]
    _, better = play(both, row(ANSWER, gold="x"), *begun, score(0.0), score(1.0), score(0.5), score(0.5))
    _, worse = play(both, row(ANSWER, gold="x"), *begun, score(0.0), score(1.0), score(0.5), score(0.4))
    assert better.status == "kept"
    assert better.columns["revision_score"] == 0.75
    assert worse.status == "unverified"
    assert "a verifier finds the revision worse" in worse.reason


def test_worsening_wants_the_answer_to_score_higher() -> None:
    worsen = stage(verify="checks.py:right", direction="worsen", min_score=1, retry=False)
    _, kept = play(worsen, row(RIGHT, gold="x"), score(1.0), said(ANSWER), score(1.0), score(0.0))
    assert (kept.status, kept.columns["chosen"][0]["content"]) == ("kept", RIGHT)
    asked, wrong = play(worsen, row(ANSWER, gold="x"), score(0.0))
    assert (wrong.status, len(asked)) == ("unverified", 1)
    _, same = play(worsen, row(RIGHT, gold="x"), score(1.0), said(ANSWER), score(1.0), score(1.0))
    assert same.reason == "the answer scores 1, the revision 1"


def test_a_chain_goes_on_where_a_reviser_gives_nothing_that_verifies(tmp_path: Path) -> None:
    config = run_config(tmp_path, reviser="python:checks.py:mend_wrongly,python:checks.py:mend")
    manifest = revise(config)
    assert manifest is not None
    assert manifest.counts == {"kept": 1, "already_right": 1, "unverified": 1}
    [pair] = pq.read_table(tmp_path / "out" / "data").to_pylist()
    assert pair["chosen"][0]["content"] == RIGHT
    assert (pair["answer_score"], pair["revision_score"], pair["attempts"]) == (0.0, 1.0, 2)
    assert pair["chosen_model"].startswith("python:checks:mend#")
    assert pair["chosen_template"] is None


def run_config(folder: Path, **settings: Any) -> ReviseConfig:
    prompt = "What is the capital of Australia?"
    path = write_jsonl(folder / "answers.jsonl", [
        {"prompt": prompt, "response": ANSWER, "gold": "Canberra"},
        {"prompt": prompt, "response": RIGHT, "gold": "Canberra"},
        {"prompt": prompt, "response": "It is Sydney.", "gold": "Canberra"},
    ])  # fmt: skip
    values = {"input": str(path), "out": str(folder / "out"), "verify": "checks.py:right"}
    values |= {"function_processes": 1}
    return ReviseConfig(**(values | settings))


def test_nothing_is_verified_twice_and_a_changed_verifier_is_noticed(tmp_path: Path, checks: Path) -> None:
    checks.write_text(CHECKS.replace(
        "def right(prompt, answer, row):",
        "def right(prompt, answer, row):\n    open('calls', 'a').write('x')",
    ))  # fmt: skip
    settings: dict[str, Any] = {"reviser": "python:checks.py:mend"}
    first = revise(run_config(tmp_path, **settings))
    calls = (tmp_path / "calls").read_text()
    second = revise(run_config(tmp_path, min_gain=0.5, **settings))  # a gate: sorted again
    assert first is not None
    assert second is not None
    assert second.counts == first.counts
    revise(run_config(tmp_path, fresh=True, **settings))
    assert (tmp_path / "calls").read_text() == calls
    checks.write_text(checks.read_text() + "\n# another rule\n")
    with pytest.raises(UsageError, match=r"model` was .python:checks:"):
        revise(run_config(tmp_path, min_gain=0.5, **settings))


def test_a_verifier_that_breaks_fails_its_row_and_is_asked_again(tmp_path: Path, checks: Path) -> None:
    broken = CHECKS.replace(
        "return row[", "if 'coast' not in answer: raise ValueError('no coast')\n    return row["
    )
    checks.write_text(broken)
    manifest = revise(run_config(tmp_path, reviser="python:checks.py:mend"))
    assert manifest is not None
    assert manifest.counts == {"kept": 1, "already_right": 1, "failed": 1}
    [failed] = [
        r for r in pq.read_table(tmp_path / "out" / "dropped").to_pylist() if r["status"] == "failed"
    ]
    assert failed["reason"] == "python:checks.py:right: ValueError: no coast (checks.py, line 3)"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"verify": "checks.py:rigth"}, "did you mean right?"),
        ({"verify": "checks.py"}, "checks.py: name the function in it too, as checks.py:NAME"),
        ({"verify": "nonsense"}, "'nonsense': unknown engine; there are hf:MODEL"),
        (
            {"verify": "my.checks:passes"},
            "unknown engine, and no module 'my.checks' is found here; there are hf:",
        ),
        (
            {"verify": "check:ifeval"},
            "check:ifeval wants the columns `instruction_id_list`, `kwargs`, which",
        ),
        ({"verify": "check:code"}, "--allow_code"),
        ({"verify": "checks.py:right,checks.py:right"}, "a verifier is named twice"),
        (
            {"verify": None, "min_gain": 0.5},
            "--min_gain 0.5: nothing is scored; name who scores with --verify",
        ),
        (
            {"verify": None, "min_score": 0},
            "--min_score 0: nothing is scored; name who scores with --verify",
        ),
        ({"reviser": "python:checks.py:nobody"}, "there is no 'nobody' in it"),
        ({"reviser": "python:checks.py:mend", "mode": "edits"}, "--mode edits: no model revises"),
        ({"reviser": "python:checks.py:mend", "template": "gone"}, "--template gone: no model revises"),
        ({"reviser": "python:checks.py:mend,python:checks.py:mend"}, "a reviser is named twice"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_asked(
    tmp_path: Path, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as error:
        revise(run_config(tmp_path, **({"reviser": "python:checks.py:mend"} | settings)))
    assert sentence in str(error.value)
    assert not (tmp_path / "out").exists()


def test_from_python_functions_are_given_as_they_are(tmp_path: Path) -> None:
    def capital(prompt: str, answer: str, row: dict[str, Any]) -> bool:
        return bool(row["gold"] in answer)

    def repair(prompt: str, answer: str, row: dict[str, Any]) -> str:
        return answer.replace("Sydney", str(row["gold"]))

    manifest = revise(run_config(tmp_path, verify=capital, reviser=repair))
    assert manifest is not None
    assert manifest.counts == {"kept": 2, "already_right": 1}
