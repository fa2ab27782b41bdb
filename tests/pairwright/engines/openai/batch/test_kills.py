"""SIGKILL at random moments of a run by batch jobs: nothing lost, nothing sent twice."""

import subprocess
import sys
from pathlib import Path

import pytest
from places import SUPPORT


def survived(folder: Path, kills: int, seed: int) -> int:
    command = [sys.executable, str(SUPPORT / "kill_batches.py"), str(folder), str(kills), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_3_kills(tmp_path: Path) -> None:
    assert survived(tmp_path, 3, 5) >= 3


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_200_kills(tmp_path: Path) -> None:
    assert survived(tmp_path, 200, 7) >= 200
