"""vLLM's processes, and the one that they work for, killed at bad moments."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from runs_on_disk import rows_of, write_jsonl
from vllm_processes import ROOT, SETTINGS, alive, children, finished, opened, wait_until_dead, worker_of

from pairwright.stages.sample import SampleConfig, sample

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1200)]


def run_of(folder: Path, prompts: int, log: Path | None = None) -> list[str]:
    path = write_jsonl(folder / "p.jsonl", [{"prompt": f"Name {n + 2} fruits."} for n in range(prompts)])
    command = (
        [sys.executable, "tests/support/audited.py", str(log)]
        if log
        else [sys.executable, "-m", "pairwright"]
    )
    command += ["sample", str(path), "--policy", "vllm:smollm2", "--out", str(folder / "run")]
    command += ["--n", "4", "--max_tokens", "48", *(f"--engine.{n}={v}" for n, v in SETTINGS.items())]
    return command


def test_a_killed_parent_leaves_nothing_behind_and_its_run_goes_on(tmp_path: Path) -> None:
    """The parent is killed mid-run. Nothing of vLLM outlives it, and no finished answer is asked again."""
    log = tmp_path / "log"
    parent = subprocess.Popen(run_of(tmp_path, 20, log), cwd=ROOT, stderr=subprocess.PIPE)
    journal = tmp_path / "run" / "journal.sqlite"
    groups: set[int] = set()
    ends = time.monotonic() + 600
    while not (journal.exists() and finished(journal) >= 10):
        assert parent.poll() is None, parent.stderr and parent.stderr.read()
        assert time.monotonic() < ends
        groups |= set(children(parent.pid))
        time.sleep(0.02)
    [group] = groups
    assert any("EngineCor" in name for name in alive(group)), alive(group)
    parent.kill()
    parent.wait()
    wait_until_dead(group)
    done = finished(journal)
    subprocess.run(run_of(tmp_path, 20, log), cwd=ROOT, check=True, capture_output=True, timeout=900)
    keys = log.read_text().split()
    assert done >= 10
    assert len(keys) - len(set(keys)) <= 80 - done
    assert len(set(keys)) == 80 == len(rows_of(tmp_path / "run"))
    assert len({row["row_id"] for row in rows_of(tmp_path / "run")}) == 80


def test_a_killed_engine_core_mid_run_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    path = write_jsonl(tmp_path / "p.jsonl", [{"prompt": f"Name {n + 2} fruits."} for n in range(16)])
    config = SampleConfig(
        input=str(path),
        policy="vllm:smollm2",
        out=str(tmp_path / "run"),
        n=2,
        max_tokens=48,
        engine=SETTINGS,
    )
    killed: list[int] = []

    def kill_core() -> None:
        journal = tmp_path / "run" / "journal.sqlite"
        while finished(journal) < 5:
            time.sleep(0.02)
        [keeper] = children(os.getpid())
        for child in children(worker_of(keeper)):
            if "EngineCor" in Path(f"/proc/{child}/stat").read_text():
                os.kill(child, signal.SIGKILL)
                killed.append(child)

    killer = threading.Thread(target=kill_core, daemon=True)
    killer.start()
    manifest = sample(config)
    assert len(killed) == 1
    assert manifest is not None
    assert sum(manifest.counts.values()) == 32
    assert set(manifest.counts) <= {"kept", "truncated"}
    assert len({row["row_id"] for row in rows_of(tmp_path / "run")}) == 32


def test_memory_is_free_after_close() -> None:
    before = set(Path("/dev/shm").iterdir())
    engine = opened()
    group = engine.group
    assert alive(group)
    engine.close()
    assert alive(group) == []
    assert set(Path("/dev/shm").iterdir()) - before == set()
