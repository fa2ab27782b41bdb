"""The benchmarks of revisions run anywhere, and say in a sentence what they cannot read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from places import BENCHMARKS
from runs_on_disk import ANSWER, REVISED, write_jsonl


def command(name: str, *argv: str) -> subprocess.CompletedProcess[str]:
    argv = (sys.executable, str(BENCHMARKS / name), *argv)
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def table(text: str) -> dict[str, list[str]]:
    """Rows of Markdown tables by their first cell."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {first: cells for first, *cells in lines}


def test_the_canned_completions_are_whole_and_make_the_documented_table() -> None:
    found = command("revision_modes.py")
    assert found.returncode == 0, found.stderr
    documented = table((BENCHMARKS.parent / "docs" / "revising.md").read_text())
    kept_at = 2  # the same column in both: words, tokens, kept
    for mode in ("rewrite", "rewrite-bare", "edits-text", "edits-sentence"):
        assert table(found.stdout)[mode][kept_at:] == documented[mode][kept_at:]


def test_pairs_of_others_are_gated_with_reasons(tmp_path: Path) -> None:
    one = {"chosen": REVISED.format(n=1, m=2), "rejected": ANSWER.format(n=1)}
    two = {"chosen": [{"role": "assistant", "content": "Two."}], "rejected": ANSWER.format(n=2)}
    found = command("gate_pairs.py", str(write_jsonl(tmp_path / "pairs.jsonl", [one, two])))
    assert found.returncode == 0, found.stderr
    assert table(found.stdout)["`kept`"] == ["1 of 2", "–"]
    assert table(found.stdout)["`length_drift`"][0] == "1 of 2"


@pytest.mark.parametrize(
    "row", [{"chosen": "x"}, {"chosen": "x", "rejected": []}, {"chosen": 3, "rejected": "x"}]
)
def test_what_is_no_pair_is_named(tmp_path: Path, row: dict[str, object]) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(row) + "\n")
    found = command("gate_pairs.py", str(path))
    assert found.returncode != 0
    assert "pairs.jsonl line 1: `" in found.stderr
    assert "Traceback" not in found.stderr
