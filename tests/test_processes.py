"""Two processes that train together: the same updates as one, and one folder."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import TinyRun, read_metrics

from train.reward_config import RewardConfig
from train.trainer import train

SETTINGS = {"max_steps": 4, "logging_steps": 1, "eval_steps": 2, "save_steps": 3}
CODE = """
import json, sys
import torch
torch.set_num_threads(1)
from pairwright.errors import PairwrightError
from train.config import TrainConfig
from train.reward_config import RewardConfig
from train.trainer import train
for settings in json.loads(sys.argv[1]):
    try:
        config = RewardConfig if "golden_data" in settings else TrainConfig
        print(train(config(**settings)).status)
    except PairwrightError as error:
        print(type(error).__name__, error)
"""


def together(settings: list[dict]) -> list[str]:
    """Train in two processes, one run after the other; what each of them said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in ("0", "1"):
        environment = os.environ | {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
            "ACCELERATE_USE_CPU": "true",
        }
        command = [sys.executable, "-c", CODE, json.dumps(settings)]
        processes.append(
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
    said = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err[-3000:]
        said.append(out)
    return said


def rewarded(own: TinyRun, name: str) -> RewardConfig:
    """A reward model of the same pairs."""
    plain = {key: value for key, value in own.settings.items() if key not in ("loss", "sft_weight")}
    return RewardConfig(**plain | {"output_dir": str(own.folder / name)})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same run by one process and by two; 8 pairs, by 3: an uneven share and a last one of 2."""
    own = TinyRun(tmp_path_factory.mktemp("processes"))
    own.settings |= SETTINGS | {"pairs_per_update": 3, "loss": "apo_zero", "sft_weight": 0.1}
    train(own.config("one"))
    train(rewarded(own, "reward-one"))
    settings = [
        own.config("two").model_dump(mode="json"),
        own.config("two").model_dump(mode="json"),
        own.config("two", beta=0.3).model_dump(mode="json"),
        own.config("lora", lora_r=2).model_dump(mode="json"),
        rewarded(own, "reward-two").model_dump(mode="json"),
    ]
    return own, together(settings)


@pytest.mark.parametrize("kind", ["", "reward-"])
def test_two_processes_make_the_updates_of_one(runs, kind):
    own, _ = runs
    one, two = (read_metrics(own.folder / f"{kind}{name}") for name in ("one", "two"))
    assert [record.keys() for record in one] == [record.keys() for record in two]
    for mine, theirs in zip(one, two, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=2e-5)
    weights = [load_file(own.folder / f"{kind}{name}" / "model.safetensors") for name in ("one", "two")]
    for name in weights[0]:
        assert torch.allclose(weights[0][name], weights[1][name], atol=1e-4)


def test_the_report_of_two_processes_is_that_of_one(runs):
    own, _ = runs
    reports = [json.loads((own.folder / f"reward-{n}" / "reward.json").read_text()) for n in ("one", "two")]
    for key in ("pairs", "accuracy", "ece", "reward_per_token"):
        assert reports[0]["human"][key] == pytest.approx(reports[1]["human"][key], abs=1e-4)


def test_both_hear_the_same_result_and_the_same_refusal(runs):
    _, (first, second) = runs
    assert first.splitlines() == second.splitlines()
    trained, again, refused, lora, reward = first.splitlines()
    assert (trained, again, lora, reward) == ("trained", "already_finished", "trained", "trained")
    assert refused.startswith("UsageError")
    assert "`beta` was 0.1 and is now 0.3" in refused


def test_one_process_goes_on_from_the_checkpoint_of_two(runs):
    own, _ = runs
    output = own.folder / "two"
    finished = load_file(output / "model.safetensors")
    record = (output / "train.json").read_text().replace('"finished"', '"running"')
    (output / "train.json").write_text(record)
    train(own.config("two"))
    for name, weights in load_file(output / "model.safetensors").items():
        assert torch.allclose(weights, finished[name], atol=1e-4)
