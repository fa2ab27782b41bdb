"""ZeRO by the real DeepSpeed, beyond what tests/train/devices/test_processes.py asks of every launch.

Run by `make test-deepspeed`, which puts DeepSpeed into a folder of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ranks import CODE, CONFIGS, WITH_DEEPSPEED, launched_by_flags, together
from safetensors.torch import load_file
from tiny_model import TinyRun, read_metrics

from train.training import train

pytestmark = pytest.mark.deepspeed
LITTLE = {"zero_optimization": {"stage": 2, "reduce_bucket_size": 500, "allgather_bucket_size": 500}}
"""At once, so that embeddings are larger, as those of a large model are larger than what is usual."""
LAUNCHES = {
    name: launched_by_flags("--use_deepspeed", *flags) | WITH_DEEPSPEED
    for name, flags in {
        "zero1": ("--zero_stage", "1"),
        "zero2": ("--zero_stage", "2"),
        "zero2-file": ("--deepspeed_config_file", json.dumps(LITTLE)),
    }.items()
}
SEEN = """
import train.trainer.prepare
from train.devices import divided

made = divided.divide

def seen(*given):
    policy, optimizer = made(*given)
    parts = optimizer._zero.single_partition_of_fp32_groups
    of_model = [p for group in optimizer.param_groups for p in group["params"]]
    stage = optimizer._engine.zero_optimization_stage()
    print("stage", int(stage), sum(p.numel() for p in parts), sum(p.numel() for p in of_model))
    return policy, optimizer

divided.divide = seen
"""
"""Put before a run: every process says how much of the moments it has."""


KINDS = {
    "clipped": {"max_grad_norm": 1e-6},  # so far that AdamW's epsilon is felt
    "unclipped": {"max_grad_norm": 0.0, "gradient_checkpointing": True},
    "bf16": {"bf16": True},
    "adapted": {"bf16": True, "lora_r": 2},
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Updates of 8 pairs in forward passes of one or two, with a gradient that is clipped, or is not."""
    own = TinyRun(tmp_path_factory.mktemp("deepspeed"))
    own.settings |= {
        "max_steps": 4, "logging_steps": 1, "save_steps": 2,
        "pairs_per_update": 8, "micro_batch_tokens": 60, "weight_decay": 0.1,
    }  # fmt: skip
    for kind, changes in KINDS.items():
        train(own.config(f"one-{kind}", **changes))
    return own


@pytest.fixture(scope="module", params=list(LAUNCHES))
def divided(request, own):
    """Each kind by one process and by two under ZeRO; and what each of the two said."""
    name = request.param
    settings = [own.config(f"{name}-{kind}", **changes) for kind, changes in KINDS.items()]
    dumped = [s.model_dump(mode="json") for s in settings]
    return name, together(dumped, launch=LAUNCHES[name], code=SEEN + CODE)


@pytest.mark.parametrize("kind", KINDS)
def test_several_forward_passes_of_each_process_make_the_updates_of_one(kind, divided, own):
    name, _ = divided
    coarse = "bf16" in KINDS[kind]
    folders = [own.folder / f"{prefix}-{kind}" for prefix in ("one", name)]
    one, two = map(read_metrics, folders)
    for mine, theirs in zip(one, two, strict=True):
        assert mine.keys() == theirs.keys()
        for key in {"loss", "grad_norm", "learning_rate"} & mine.keys():
            assert mine[key] == pytest.approx(theirs[key], rel=5e-3 if coarse else 1e-5), key
    file = "adapter_model.safetensors" if kind == "adapted" else "model.safetensors"
    weights = [load_file(folder / file) for folder in folders]
    assert weights[0].keys() == weights[1].keys()
    for key in weights[0]:
        assert weights[0][key].dtype == weights[1][key].dtype
        # Where a gradient is hardly more than the rounding of bfloat16, AdamW steps to either side.
        assert coarse or torch.allclose(weights[0][key], weights[1][key], atol=1e-6), key


def test_clipping_is_what_makes_the_difference(divided, own):
    name, _ = divided
    clipped, whole = (read_metrics(own.folder / f"{name}-{k}") for k in ("clipped", "unclipped"))
    norms = [record["grad_norm"] for record in clipped if "grad_norm" in record]
    assert min(norms) > 0.05, "the norm is that of the gradient before it is clipped"
    assert clipped[-1]["eval_loss"] > whole[-1]["eval_loss"] + 1e-3


def test_moments_and_steps_are_those_of_one_process(divided, own):
    name, _ = divided
    files = [own.folder / f"{p}-unclipped" / "checkpoint-2" for p in ("one", name)]
    one, two = (load_file(file / "optimizer.safetensors") for file in files)
    assert one.keys() == two.keys()
    for key, moment in one.items():
        assert moment.shape == two[key].shape
        assert torch.allclose(moment, two[key], rtol=1e-4, atol=1e-8), key
    assert {float(value) for key, value in two.items() if key.startswith("step:")} == {2.0}


def test_each_process_has_its_part_of_the_moments_and_no_more(divided):
    name, said = divided
    for process in said:
        lines = [line.split()[1:] for line in process.splitlines() if line.startswith("stage")]
        assert len(lines) == len(KINDS)
        for found, part, whole in lines:
            assert found == name[4]
            assert int(whole) / 2 <= int(part) <= int(whole) / 2 + 16, "half, and what fills it up"


SPOILT = """
import atexit
import os
import time
from pathlib import Path
import torch
from train.preference.task import PreferenceTask

measure, calls = PreferenceTask.measure, []

def spoilt(*given):
    measured = measure(*given)
    if torch.is_grad_enabled():
        calls.append(True)
        if len(calls) == 3 and os.environ["RANK"] == "1":
            measured.losses_B.register_hook(lambda grad: grad * torch.inf)
    return measured

def threads():
    files = Path("/proc/self/task").glob("*/comm")
    return [name for name in (file.read_text().strip() for file in files) if "gloo" in name]

@atexit.register
def last():
    until = time.monotonic() + 20
    while threads() and time.monotonic() < until:
        time.sleep(0.01)
    print("threads of the group:", threads(), flush=True)

PreferenceTask.measure = spoilt
"""
"""Put before a run: in the third update the gradient of one process is infinite, and no loss is.

Says at the very end which threads outlive the processes' group: they may end a process in an error.
"""


@pytest.mark.parametrize("name", ["zero1", "zero2"])
def test_an_update_that_is_not_finite_is_never_made(name, tmp_path):
    own = TinyRun(tmp_path)
    config = own.config(max_steps=5, save_steps=1, logging_steps=1).model_dump(mode="json")
    for said in together([config], launch=LAUNCHES[name], code=SPOILT + CODE):
        assert said.startswith("PairwrightError the gradient is not finite; the update was not made")
        assert said.endswith("threads of the group: []\n")
    kept = {path.name for path in (tmp_path / "out").glob("checkpoint-*")}
    assert kept == {"checkpoint-1", "checkpoint-2"}


IDLE = """
import torch
from train.preference import task as preference

load = preference.load_model

def with_more(*given, **how):
    model = load(*given, **how)
    model.model.vision = torch.nn.Linear(3, 2)
    return model

preference.load_model = with_more
"""
"""Put before a run: its model has weights that text does not come by."""


def test_weights_without_a_gradient_are_not_changed_unasked(tmp_path):
    own = TinyRun(tmp_path)
    config = own.config(max_steps=2, save_steps=1).model_dump(mode="json")
    for said in together([config], launch=LAUNCHES["zero2"], code=IDLE + CODE):
        assert said.startswith("PairwrightError 2 weights get no gradient, the first: model.vision.weight")
    assert not list((tmp_path / "out").glob("checkpoint-*"))


def back_to(update: int, output: Path) -> None:
    """Let a finished run be one that was cut short after an update."""
    record = output / "train.json"
    record.write_text(record.read_text().replace('"finished"', '"running"'))
    for later in range(update + 1, 7):
        shutil.rmtree(output / f"checkpoint-{later}", ignore_errors=True)


def test_three_processes_go_on_from_two_which_went_on_from_one(tmp_path):
    own = TinyRun(tmp_path, pairs=12)
    own.settings |= {"max_steps": 6, "save_steps": 2, "save_total_limit": 9, "pairs_per_update": 5}
    train(own.config("whole"))
    train(own.config("parts"))

    config = own.config("parts").model_dump(mode="json")
    loud = "import sys; sys.stderr = sys.stdout\n" + CODE
    for ranks, update in ((2, 2), (3, 4)):
        back_to(update, tmp_path / "parts")
        first, *_ = together([config], ranks=ranks, launch=LAUNCHES["zero2"], code=loud)
        assert f"going on after update {update} of 6" in first
        assert first.endswith("trained\n")
    for name in ("model.safetensors", "checkpoint-6/optimizer.safetensors"):
        found, expected = (load_file(tmp_path / folder / name) for folder in ("parts", "whole"))
        for key in expected:
            assert torch.allclose(found[key], expected[key], atol=1e-5), key


def test_one_process_says_that_it_has_nobody_to_divide_with(tmp_path):
    own = TinyRun(tmp_path)
    settings = [own.config(max_steps=2).model_dump(mode="json")]
    code = "import logging, sys; logging.basicConfig(stream=sys.stdout)\n" + CODE
    [said] = together(settings, ranks=1, launch=LAUNCHES["zero2"], code=code)
    assert "one process has nothing to divide: training runs without DeepSpeed" in said
    assert said.endswith("trained\n")


@pytest.mark.timeout(600)
def test_it_is_launched_as_the_documentation_says(tmp_path):
    own = TinyRun(tmp_path)
    train(own.config("one", max_steps=3))
    settings = own.settings | {
        "output_dir": str(tmp_path / "two"),
        "max_steps": 3,
        "reference_store": "none",
    }
    flags = [f"--{name}={value}" for name, value in settings.items() if not isinstance(value, bool)]
    launch = ["launch", "--config_file", str(CONFIGS / "deepspeed_zero2.yaml"), "--num_processes", "2"]
    launch += ["--main_process_port", "0", "-m", "pairwright", "train"]
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", *launch, *flags]
    environment = os.environ | WITH_DEEPSPEED
    done = subprocess.run(
        [*command, "--use_cpu", "--no-bf16"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "one process" not in done.stderr
    assert json.loads((tmp_path / "two" / "train.json").read_text())["status"] == "finished"
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for key in one:
        assert torch.allclose(one[key], two[key], atol=1e-5), key
