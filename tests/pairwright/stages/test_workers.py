"""Several workers on one folder: together they make what one process makes, whoever is killed."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alone import alone, as_if_alone
from hypothesis import given
from hypothesis import strategies as st
from kill_commands import finished_keys
from places import AUDITED
from runs_on_disk import as_flags, files_of, revise_config

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.lock import FolderLock
from pairwright.folders.manifest import load_manifest
from pairwright.stages.workers import Share, read_share
from revise import ReviseConfig, revise


def start(config: ReviseConfig, log: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, AUDITED, str(log), *as_flags(config), *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)


def test_three_workers_at_once_and_kills_make_what_one_makes(tmp_path: Path) -> None:
    config = revise_config(tmp_path, rows=160, delay=0.01)
    golden, log = alone(tmp_path, config), tmp_path / "asked.log"
    rng, run, kills = random.Random(5), tmp_path / "run", 0
    working = {n: start(config, log, "--shard", f"{n}/3") for n in range(3)}
    deadline = time.monotonic() + 100
    while working:
        assert time.monotonic() < deadline
        time.sleep(rng.uniform(0.1, 0.6))
        if kills < 12 and time.monotonic() < deadline - 60:
            victim = rng.choice(list(working))
            working[victim].send_signal(signal.SIGKILL)
        for number, process in list(working.items()):
            if process.poll() is None:
                continue
            _, errors = process.communicate()
            del working[number]
            if process.returncode == -signal.SIGKILL:
                kills += 1
                working[number] = start(config, log, "--shard", f"{number}/3")
            else:
                assert process.returncode == 0, errors.decode()
    assert kills >= 5
    as_if_alone(run, golden)
    asked = log.read_text().split()
    assert set(asked) == finished_keys(golden)


def test_shares_are_disjoint_and_whole_and_the_last_one_writes_the_totals(tmp_path: Path) -> None:
    config = revise_config(tmp_path, rows=100)
    golden, run = alone(tmp_path, config), tmp_path / "run"
    for number in (2, 0):
        manifest = revise(config.model_copy(update={"shard": f"{number}/3"}))
        assert manifest is not None
        assert not load_manifest(run).complete
        assert {shard % 3 for shard in manifest.shards} == {number}
    whole = revise(config.model_copy(update={"shard": "1/3"}))
    assert whole is not None
    assert whole.complete
    as_if_alone(run, golden)
    assert revise(config.model_copy(update={"shard": "0/3"})) == load_manifest(run)


def test_a_worker_that_comes_back_waits_for_the_one_that_writes_the_totals(tmp_path: Path) -> None:
    config = revise_config(tmp_path, rows=20)
    run = alone(tmp_path, config)
    config = config.model_copy(update={"out": str(run)})
    with FolderLock(run):
        single = start(config, tmp_path / "asked.log")
        worker = start(config, tmp_path / "asked.log", "--shard", "0/2")
        _, errors = single.communicate()
        assert single.returncode == 1
        assert "is writing to this folder" in errors.decode()
        time.sleep(1)
        assert worker.poll() is None
    _, errors = worker.communicate()
    assert worker.returncode == 0, errors.decode()


@pytest.mark.parametrize("later", [None, "0/2"])
def test_what_dead_workers_left_is_taken_over(tmp_path: Path, later: str | None) -> None:
    """By a process alone, or by another number of workers; nothing that was finished is asked again."""
    config = revise_config(tmp_path, rows=100)
    golden, log = alone(tmp_path, config), tmp_path / "asked.log"
    for number in (1, 3):
        assert start(config, log, "--shard", f"{number}/4").wait() == 0
    for share in [later] if later is None else [later, "1/2"]:
        assert start(config, log, *([] if share is None else ["--shard", share])).wait() == 0
    as_if_alone(tmp_path / "run", golden)
    asked = log.read_text().split()
    assert len(asked) == len(set(asked)) == len(finished_keys(golden))


def test_a_second_process_with_the_same_number_is_told(tmp_path: Path) -> None:
    config = revise_config(tmp_path, rows=40)
    revise(config.model_copy(update={"shard": "0/2"}))
    with FolderLock(tmp_path / "run" / "workers" / "1-of-2"):
        with pytest.raises(PairwrightError, match=r"1-of-2.*another process"):
            revise(config.model_copy(update={"shard": "1/2"}))
        with pytest.raises(PairwrightError, match=r"1-of-2.*another process"):
            revise(config)
    revise(config.model_copy(update={"shard": "1/2"}))
    assert load_manifest(tmp_path / "run").complete


def test_a_changed_gate_is_sorted_anew_by_all_workers(tmp_path: Path) -> None:
    config = revise_config(tmp_path, rows=100)
    golden, log = alone(tmp_path, config), tmp_path / "asked.log"
    revise(config.model_copy(update={"min_kept_share": 0.99}))
    for number in range(3):
        assert start(config, log, "--shard", f"{number}/3").wait() == 0
    assert files_of(tmp_path / "run") == files_of(golden)
    assert not log.read_text()


def test_fresh_is_for_one_process(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--fresh.*without --shard"):
        revise(revise_config(tmp_path, shard="0/2", fresh=True))


@pytest.mark.parametrize("text", ["2/2", "1", "-1/2", "a/b", "1/0", "", "1/2/3"])
def test_a_share_that_is_none_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="write NUMBER/WORKERS"):
        read_share(text)


@given(st.integers(1, 9), st.integers(1, 60), st.integers(1, 9))
def test_every_item_is_in_one_share(of: int, items: int, size: int) -> None:
    shares = [Share(number, of) for number in range(of)]
    for shard in range((items + size - 1) // size):
        assert sum(share.owns(shard) for share in shares) == 1
    whole = load_like(items, size)
    assert sum(share.items(whole) for share in shares) == items


def load_like(items: int, size: int) -> object:
    """As much of a manifest as shares look at."""
    from pairwright.folders.manifest import InputInfo, Manifest

    return Manifest(
        stage="revise",
        versions={},
        config={},
        semantic={},
        gate={},
        engines={},
        input=InputInfo(path="", sha256="", rows=items),
        items=items,
        shard_size=size,
    )
