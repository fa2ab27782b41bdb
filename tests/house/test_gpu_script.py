"""`benchmarks/gpu/run.sh`, dry-run on the CPU: every part runs and finds what it looks for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import BENCHMARKS, ROOT

RUN = str(BENCHMARKS / "gpu" / "run.sh")


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHON": sys.executable}
    return subprocess.run([RUN, *words], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_part_runs_on_a_cpu(tmp_path: Path) -> None:
    done = ran("--device", "cpu", "--tiny", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    parts = [row["part"] for row in found]
    assert {part: parts.count(part) for part in parts} == {
        "exactness": 6,
        "vocabulary": 2,
        "speed": 2,
        "fsdp2": 1,
    }
    assert all(row["exact"] for row in found if row["part"] == "exactness")
    ours, trl = (row for row in found if row["part"] == "speed")
    assert ours["loss"] == pytest.approx(trl["loss"], abs=1e-3)
    assert (tmp_path / "table.md").read_text().count("###") == 4


def test_a_wrong_word_and_a_missing_gpu_are_said(tmp_path: Path) -> None:
    wrong = ran("--tinny")
    assert (wrong.returncode, "unknown option --tinny" in wrong.stderr) == (2, True)
    missing = ran("--wheels", str(tmp_path / "none"))
    assert (missing.returncode, "there is no such folder" in missing.stderr) == (2, True)
