"""A run that was cut short goes on as if nothing had happened, to the bit."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from checkpoints import rewind_to
from places import SUPPORT
from tiny_model import TinyRun, read_metrics

from pairwright.errors import PairwrightError
from pairwright.folders.lock import FolderLock
from pairwright.terminal.interrupt import Interrupted
from train.preference.task import PreferenceTask
from train.training import train

UPDATES = 11
CADENCE = {"max_steps": UPDATES, "logging_steps": 3, "eval_steps": 4, "save_total_limit": 99}
"""Checkpoints fall between logged updates, and at, before and after the end of an epoch of 2."""


def contents(output: Path) -> dict[str, bytes]:
    """All that came of a run: the model, the metrics, the last checkpoint; not how long it took."""
    files = [*output.glob("*.safetensors"), output / "metrics.jsonl"]
    files += sorted((output / f"checkpoint-{UPDATES}").iterdir())
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


@pytest.fixture(scope="module", params=["dpo", "apo_zero"])
def loss(request) -> str:
    return request.param


@pytest.fixture(scope="module", params=[0, 2], ids=["full", "lora"])
def golden(request, loss, tmp_path_factory) -> TinyRun:
    """A run that was never interrupted and kept every checkpoint."""
    own = TinyRun(tmp_path_factory.mktemp("golden"))
    own.settings |= CADENCE | {"loss": loss, "lora_r": request.param, "sft_weight": 0.1}
    own.settings |= {"save_steps": 1, "weight_decay": 0.1}
    train(own.config())
    return own


@pytest.mark.parametrize("update", range(1, UPDATES))
def test_resuming_is_exact_to_the_bit(golden, update):
    """Weights, moments, generators, metrics; the checkpoint made at the end says it all again."""
    output, again = golden.folder / "out", golden.folder / f"from-{update}"
    shutil.copytree(output, again)
    rewind_to(again, update)
    for path in again.glob("*.safetensors"):
        path.unlink()
    train(golden.config(again.name))
    assert contents(again) == contents(output)
    shutil.rmtree(again)


def test_resuming_twice_is_exact_to_the_bit(golden):
    output, again = golden.folder / "out", golden.folder / "twice"
    shutil.copytree(output, again)
    for update in (7, 3):
        rewind_to(again, update)
        train(golden.config(again.name))
    assert contents(again) == contents(output)


def test_cadence_may_change_and_the_weights_do_not(golden):
    output, again = golden.folder / "out", golden.folder / "cadence"
    shutil.copytree(output, again)
    rewind_to(again, 5)
    train(golden.config(again.name, logging_steps=1, eval_steps=2, save_steps=4, micro_batch_tokens=300))
    steps = [record["step"] for record in read_metrics(again) if "loss" in record]
    assert steps == [3, 6, 7, 8, 9, 10, 11]
    assert sorted(p.name for p in again.glob("checkpoint-?")) == [
        f"checkpoint-{n}" for n in (1, 2, 3, 4, 5, 8)
    ]


def test_without_a_checkpoint_a_run_begins_again(golden):
    output, again = golden.folder / "out", golden.folder / "from-0"
    shutil.copytree(output, again)
    rewind_to(again, 0)
    train(golden.config(again.name))
    assert contents(again) == contents(output)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_after_the_update_and_resumes_exactly(golden, number):
    config = golden.config(f"signal-{number}", save_steps=100)
    begun = []

    class Signalled(PreferenceTask):
        def look_ahead(self, *args):
            begun.extend([args] if torch.is_grad_enabled() else [])  # not where it is measured
            if len(begun) == 5:
                os.kill(os.getpid(), number)

    with pytest.raises(Interrupted, match="stopped after update 5 of 11"):
        train(config, Signalled(config))
    again = golden.folder / f"signal-{number}"
    assert [path.name for path in again.glob("checkpoint-*")] == ["checkpoint-5"]
    train(config)
    for name in ("metrics.jsonl", *(path.name for path in again.glob("*.safetensors"))):
        assert (again / name).read_bytes() == (golden.folder / "out" / name).read_bytes()


def test_one_writer_a_folder(tmp_path):
    own = TinyRun(tmp_path)
    with FolderLock(tmp_path / "out"), pytest.raises(PairwrightError, match="another process"):
        train(own.config())
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


def test_kills_at_random_lose_nothing(tmp_path):
    """SIGKILL after SIGKILL while every update is saved: no run refuses, the end is the golden one.

    A driver of one thread forks the runs, so that a kill costs no import of torch.
    """
    driver = SUPPORT / "kill_training.py"
    done = subprocess.run(
        [sys.executable, str(driver), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kills = int(done.stdout.split()[-1])
    assert kills >= 15
    assert contents(tmp_path / "killed") == contents(tmp_path / "golden")
