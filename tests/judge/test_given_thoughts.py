"""Given answers that come with thoughts: they are compared and scored without, and the thought is kept."""

import json
from pathlib import Path

import pytest
import recorded
from in_process import quietly
from runs_on_disk import rows_of

THOUGHT = "<think>\nIs it Lyon? No.\n</think>\n\nParis."
UNOPENED = "It may be Lyon, or not.\n</think>\n\nLyon."
VERIFIER = "def passes(prompt, answer, row):\n    return float(answer.startswith('Paris'))\n"


@pytest.fixture(autouse=True)
def logged() -> None:
    recorded.LOG.clear()


@pytest.mark.parametrize(
    ("command", "first", "second"),
    [
        ("judge {rows} --judge recorded:judge --min_margin 0", "chosen", "rejected"),
        ("calibrate {rows} --judge recorded:judge", "chosen", "rejected"),
        ("winrate {rows}:chosen {rows}:rejected --judge recorded:judge", "answer_a", "answer_b"),
    ],
)
def test_judges_are_shown_answers_alone(tmp_path: Path, command: str, first: str, second: str) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "Capital?", "chosen": THOUGHT, "rejected": UNOPENED}))
    quietly(*command.format(rows=rows).split(), "--out", str(tmp_path / "run"), codes=(0, 1))
    [row] = rows_of(tmp_path / "run")
    assert {row[first][0]["content"], row[second][0]["content"]} == {"Paris.", "Lyon."}
    thoughts = {value for name, value in row.items() if "reasoning" in name and isinstance(value, str)}
    assert thoughts == {"Is it Lyon? No.", "It may be Lyon, or not."}
    shown = "".join(m.content for job, _ in recorded.LOG for m in job.request.messages)
    assert "Paris." in shown
    assert "think>" not in shown


def test_thoughts_of_a_sampled_run_stay_with_their_answers(tmp_path: Path) -> None:
    rows, said, checks = tmp_path / "rows.jsonl", tmp_path / "said.jsonl", tmp_path / "checks.py"
    rows.write_text('{"prompt": "Capital?"}\n{"prompt": "The other?"}\n{"prompt": "Capital?"}')
    said.write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in (THOUGHT, "<think>\nHm.</think>No."))
    )
    checks.write_text(VERIFIER)
    policy = ("--policy", f"canned:{said}", "--n", "2")
    quietly("sample", str(rows), *policy, "--out", str(tmp_path / "run"))
    thoughts = {"Paris.": "Is it Lyon? No.", "No.": "Hm."}
    judge = ("--judge", f"python:{checks}:passes", "--pairs", "all")
    quietly("judge", str(tmp_path / "run"), *judge, "--out", str(tmp_path / "pairs"), codes=(0, 1))
    pairs = rows_of(tmp_path / "pairs")
    assert pairs
    for row in pairs:
        for side in ("chosen", "rejected"):
            assert row[f"{side}_reasoning"] == thoughts[row[side][0]["content"]]


def test_thoughts_are_left_in_where_that_is_asked(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "Capital?", "chosen": THOUGHT, "rejected": "Lyon."}))
    command = f"calibrate {rows} --judge recorded:judge --thinking_tags none --out {tmp_path}/run"
    quietly(*command.split(), codes=(0, 1))
    [row] = rows_of(tmp_path / "run")
    assert row["chosen"][0]["content"] == THOUGHT


def test_scorers_are_shown_answers_alone(tmp_path: Path) -> None:
    rows, checks = tmp_path / "rows.jsonl", tmp_path / "checks.py"
    rows.write_text(json.dumps({"prompt": "Capital?", "completions": [THOUGHT, UNOPENED]}))
    checks.write_text(VERIFIER)
    quietly("score", f"{checks}:passes", str(rows), "--allow_code", "--out", str(tmp_path / "run"))
    found = rows_of(tmp_path / "run")
    assert [(r["completion"][0]["content"], r["score"]) for r in found] == [("Paris.", 1), ("Lyon.", 0)]
    assert [r["reasoning"] for r in found] == ["Is it Lyon? No.", "It may be Lyon, or not."]
