"""What counts as the text of a test: in other characters, in emphasis, under a system message."""

from pathlib import Path

import pytest
from in_process import run
from runs_on_disk import rows_of, write_jsonl

LONG = "Natalia sold clips to forty eight of her friends in the café in April, and then fewer"
SHORT = "What is the capital of France?"


@pytest.mark.parametrize(
    "prompt",
    [
        LONG.replace("é", "e\u0301"),
        LONG.replace("sold clips", "_sold_ __clips__"),
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": SHORT.upper()}],
        [
            {"role": "user", "content": SHORT},
            {"role": "assistant", "content": "Paris."},
            {"role": "user", "content": "And of Italy?"},
        ],
    ],
)
def test_it_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str], prompt: object) -> None:
    tests = write_jsonl(tmp_path / "test.jsonl", [{"q": LONG}, {"q": SHORT}, {"q": "Brief"}])
    rows = [
        {"prompt": given, "chosen": "Yes.", "rejected": "No."} for given in (prompt, "Brief", "Be brief.")
    ]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    command = ["decontaminate", str(source), "--against", str(tests), "--out", str(tmp_path / "out")]
    assert run(capfd, *command)[0] == 0
    [out] = [row for row in rows_of(tmp_path / "out") if "status" in row]
    assert out["status"] == "contaminated"
    assert str(tests) in out["reason"]
