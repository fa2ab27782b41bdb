"""SIGKILL at random moments: nothing lost, doubled, torn, or asked again once it was finished."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kill_commands import finished_keys, kill_until
from places import AUDITED, SUPPORT
from runs_on_disk import as_flags, revise_config

from pairwright.folders.manifest import load_manifest
from pairwright.stages.sample import SampleConfig


def started(log: Path, command: list[str], patience: float | None) -> bool:
    """The command as a shell starts it."""
    line = [sys.executable, AUDITED, str(log), *command]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors.decode()
    return process.returncode != 0


@pytest.mark.parametrize(
    "kills", [30, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])]
)
def test_kills_at_random(tmp_path: Path, kills: int) -> None:
    assert kill_until(tmp_path, kills, time.time_ns() % 1000, started, waits=(0.3, 1.6)) == kills


def test_100_kills_of_processes_at_work(tmp_path: Path) -> None:
    assert kills_of_forks(tmp_path, 100, time.time_ns() % 1000) == 100


VERIFIED = ("verify", "cross", "eval")


def test_20_kills_of_verified_revisions_and_evaluations(tmp_path: Path) -> None:
    """Nothing is lost, and nothing that was verified is verified again."""
    assert kills_of_forks(tmp_path, 20, time.time_ns() % 1000, *VERIFIED) == 20


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_200_kills_of_verified_revisions_and_evaluations(tmp_path: Path) -> None:
    assert kills_of_forks(tmp_path, 200, 11, *VERIFIED) == 200


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_as_many_kills_as_are_asked_for(tmp_path: Path) -> None:
    """10,000, or `PAIRWRIGHT_KILLS`."""
    kills = int(os.environ.get("PAIRWRIGHT_KILLS", "10000"))
    assert kills_of_forks(tmp_path, kills, 7) == kills


def kills_of_forks(folder: Path, kills: int, seed: int, *names: str) -> int:
    """In a process of its own, which forks: this one has threads."""
    script = SUPPORT / "kill_commands.py"
    command = [sys.executable, str(script), str(folder), str(kills), str(seed), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout)


def test_ctrl_c_keeps_what_is_in_flight_and_says_how_to_go_on(tmp_path: Path) -> None:
    config = revise_config(tmp_path, rows=300, delay=0.4, shard_size=1000)
    log = tmp_path / "asked.log"
    command = [sys.executable, AUDITED, str(log), *as_flags(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    while not log.exists() or not log.read_text():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "run the same command again" in errors.decode()
    assert "Traceback" not in errors.decode()
    assert finished_keys(tmp_path / "run") == set(log.read_text().split())
    log.write_text("")
    subprocess.run(command, check=True, capture_output=True)
    assert load_manifest(tmp_path / "run").complete


def test_sample_config_is_what_the_command_line_makes(tmp_path: Path) -> None:
    """The sweep passes flags; they mean what the settings mean."""
    config = SampleConfig(input="p.jsonl", policy="canned:c", out="r", n=3)
    assert as_flags(config)[1:] == ["--input", "p.jsonl", "--out", "r", "--policy", "canned:c", "--n", "3"]
