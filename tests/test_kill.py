"""SIGKILL at random moments: nothing lost, doubled, torn, or asked again once it was finished."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from runs_on_disk import as_flags, revise_config, write_jsonl

from pairwright.journal import Journal
from pairwright.manifest import MANIFEST, load_manifest
from pairwright.sample import SampleConfig
from pairwright.store import read_tables

AUDITED = str(Path(__file__).parent / "audited.py")


def outcome(folder: Path) -> list[list[dict[str, Any]]]:
    """All rows of a finished run, in order, from files that have their recorded hashes."""
    return [t.to_pylist() for part in ("data", "dropped") for t in read_tables(folder, part)]


def finished_keys(folder: Path) -> set[str]:
    path = folder / "journal.sqlite"
    if not path.exists():
        return set()
    with Journal(path) as journal:
        return set(journal.keys())


def sweep(
    folder: Path, command: list[str], run: Path, kills: int, rng: random.Random, longest: float
) -> int:
    """Start `command` again and again, killing each process, until it ends by itself or `kills` are spent.

    Checks after every kill that no finished request is asked again. Returns the number of kills.
    """
    log = folder / "asked.log"
    known: set[str] = set()
    for spent in range(kills + 1):
        log.write_text("")
        process = subprocess.Popen([sys.executable, AUDITED, str(log), *command], stderr=subprocess.PIPE)
        try:
            process.wait(None if spent == kills else rng.uniform(0.3, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        asked_again = known & set(log.read_text().split())
        assert not asked_again, f"{len(asked_again)} finished completions were asked again"
        if process.returncode == 0:
            return spent
        assert process.returncode == -signal.SIGKILL, errors.decode()
        if (run / MANIFEST).exists():
            load_manifest(run)
            known = finished_keys(run)
    raise AssertionError("the last process was not killed and did not finish")


def kill_until(folder: Path, kills: int, seed: int) -> None:
    """Sweep fresh folders, `revise` and `sample` in turn, until `kills` processes were killed."""
    rng = random.Random(seed)
    revision = revise_config(folder, rows=120, delay=0.01)
    replies = [{"text": f"Answer {n}.", "delay": 0.002 * n} for n in range(200)]
    canned = write_jsonl(folder / "policy.jsonl", replies)
    sampling = ["sample", revision.input, "--policy", f"canned:{canned}", "--n", "3", "--shard_size", "50"]
    golden: dict[str, list[list[dict[str, Any]]]] = {}
    spent = round_ = 0
    while spent < kills:
        name = ("revise", "sample")[round_ % 2]
        out = folder / f"{name}-{round_}"
        command = as_flags(revision) if name == "revise" else [*sampling, "--out", str(out)]
        if name == "revise":
            command[command.index("--out") + 1] = str(out)
        whole = folder / f"{name}-whole"
        if name not in golden:
            quiet = [str(whole) if part == str(out) else part for part in command]
            subprocess.run([sys.executable, AUDITED, str(folder / "whole.log"), *quiet], check=True)
            golden[name] = outcome(whole)
        spent += sweep(folder, command, out, min(12, kills - spent), rng, longest=1.6)
        assert outcome(out) == golden[name]
        assert load_manifest(out).counts == load_manifest(whole).counts
        round_ += 1


def test_60_kills(tmp_path: Path) -> None:
    started = time.monotonic()
    kill_until(tmp_path, kills=60, seed=time.time_ns() % 1000)
    assert time.monotonic() - started < 200


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_as_many_kills_as_are_asked_for(tmp_path: Path) -> None:
    """1,000, or `PAIRWRIGHT_KILLS`."""
    kill_until(tmp_path, kills=int(os.environ.get("PAIRWRIGHT_KILLS", "1000")), seed=7)


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
