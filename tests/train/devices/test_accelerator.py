"""The launch configurations that are shipped: read by accelerate's own loader, and what they ask for."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from ranks import CONFIGS, launched_by_flags, launched_with
from tiny_model import TinyRun

from pairwright.errors import UsageError
from train.devices import divided
from train.devices.accelerator import refuse_unsupported

KINDS = {
    "single_gpu.yaml": ("NO", 1, 1),
    "multi_gpu.yaml": ("MULTI_GPU", 1, 8),
    "fsdp2.yaml": ("FSDP", 1, 8),
    "fsdp2_multi_node.yaml": ("FSDP", 2, 16),
    "deepspeed_zero2.yaml": ("DEEPSPEED", 1, 8),
}


def test_each_configuration_is_known_here():
    assert {path.name for path in CONFIGS.glob("*.yaml")} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_reads_it_as_it_is_meant(name):
    found = load_config_from_file(str(CONFIGS / name))
    assert (str(found.distributed_type).split(".")[-1], found.num_machines, found.num_processes) == KINDS[
        name
    ]
    written = yaml.safe_load((CONFIGS / name).read_text())
    assert written.keys() <= found.to_dict().keys()


@pytest.mark.parametrize("name", [name for name in KINDS if name.startswith("fsdp2")])
def test_sharding_is_asked_for_as_training_takes_it(name, monkeypatch):
    for key, value in launched_with(name).items():
        monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert not plugin.cpu_ram_efficient_loading
    assert not plugin.activation_checkpointing


@pytest.mark.parametrize(
    ("switch", "sentence"),
    [
        ("FSDP_CPU_RAM_EFFICIENT_LOADING", "fsdp_cpu_ram_efficient_loading must be false: each process"),
        ("FSDP_ACTIVATION_CHECKPOINTING", "fsdp_activation_checkpointing must be false: give --gradient_c"),
        ("FSDP_OFFLOAD_PARAMS", "fsdp_offload_params must be false: updates are made where"),
    ],
)
def test_sharding_that_would_train_something_else_is_refused(switch, sentence, monkeypatch):
    """As the launcher's own switch asks for it; without the switch the same launch is taken."""
    for key, value in launched_with("fsdp2.yaml").items():
        monkeypatch.setenv(key, value)
    refuse_unsupported(sharded_as_launched())
    monkeypatch.setenv(switch, "true")
    with pytest.raises(UsageError, match=sentence):
        refuse_unsupported(sharded_as_launched())


def sharded_as_launched() -> SimpleNamespace:
    """What of an accelerator is looked at, with the plugin that the environment makes."""
    return SimpleNamespace(
        is_fsdp2=True, state=SimpleNamespace(fsdp_plugin=FullyShardedDataParallelPlugin())
    )


DEEPSPEED = ("--use_deepspeed", "--zero_stage")
SECTION = {"zero_optimization": {"stage": 2}}


def install_deepspeed(version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a DeepSpeed of some version be found, with nothing in it."""
    (folder / "deepspeed").mkdir()
    about = folder / f"deepspeed-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: deepspeed\nVersion: {version}\n")
    monkeypatch.syspath_prepend(folder)


def asked_by(monkeypatch, environment: dict[str, str]) -> dict | None:
    """What training makes of a launch, where DeepSpeed is there."""
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(divided, "_is_there", lambda: True)
    return divided.asked()


def test_zero_is_asked_for_as_training_takes_it(monkeypatch):
    assert divided.asked() is None
    assert asked_by(monkeypatch, launched_with("deepspeed_zero2.yaml")) == {"stage": 2}
    assert asked_by(monkeypatch, launched_by_flags(*DEEPSPEED, "1")) == {"stage": 1}


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["3"], r"ZeRO-3 is not supported; FSDP2 shards the same"),
        (["0"], r"zero_stage must be 1 or 2, not 0"),
        (
            ["2", "--offload_optimizer_device", "cpu"],
            r"zero_optimization.offload_optimizer of DeepSpeed is",
        ),
        (["2", "--offload_param_device", "nvme"], r"zero_optimization.offload_param of DeepSpeed is not"),
        (["2", "--gradient_accumulation_steps", "4"], r"it follows from --pairs_per_update and --micro"),
        (["2", "--gradient_clipping", "0.5"], r"it is --max_grad_norm; leave it out"),
        (["2", "--deepspeed_config_file", "none.json"], r"cannot be read: Expected a string path"),
    ],
)
def test_deepspeed_flags_that_would_train_something_else_are_refused(flags, sentence, monkeypatch):
    with pytest.raises(UsageError, match=sentence):
        asked_by(monkeypatch, launched_by_flags(*DEEPSPEED, *flags))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"zero_optimization": {"stage": 3}}, "ZeRO-3"),
        ({"zero_optimization": {}}, "zero_stage must be 1 or 2, not 0"),
        ({"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}}, "offload_optimizer"),
        ({"zero_optimization": {"stage": 2, "round_robin_gradients": True}}, "round_robin_gradients"),
        (SECTION | {"fp16": {"enabled": True}}, "fp16 of DeepSpeed is not taken from there: weights stay"),
        (SECTION | {"bf16": {"enabled": True}}, "bf16 of DeepSpeed is not taken from there: weights stay"),
        (SECTION | {"optimizer": {"type": "AdamW", "params": {"lr": "auto"}}}, "it is AdamW with --learn"),
        (SECTION | {"scheduler": {"type": "WarmupLR"}}, "it is --lr_scheduler_type"),
        (SECTION | {"gradient_accumulation_steps": 2}, "it follows from --pairs_per_update"),
        (SECTION | {"train_batch_size": 64}, "it is --pairs_per_update"),
        (SECTION | {"pipeline": {"stages": 2}}, "pipeline of DeepSpeed is not supported; leave it out"),
        ({"fp16": {"enabled": False}}, "cannot be read: Please specify the ZeRO optimization config"),
    ],
)
def test_deepspeed_files_that_would_train_something_else_are_refused(
    settings, sentence, tmp_path, monkeypatch
):
    (tmp_path / "zero.json").write_text(json.dumps(settings))
    file = ("--use_deepspeed", "--deepspeed_config_file", str(tmp_path / "zero.json"))
    with pytest.raises(UsageError, match=sentence):
        asked_by(monkeypatch, launched_by_flags(*file))


def test_a_deepspeed_file_that_leaves_all_to_us_is_taken(tmp_path, monkeypatch):
    """As `transformers` has it in its examples, with "auto" for what the trainer says itself."""
    automatic = ("gradient_accumulation_steps", "gradient_clipping", "train_batch_size")
    settings = dict.fromkeys((*automatic, "train_micro_batch_size_per_gpu"), "auto")
    settings |= {"bf16": {"enabled": "auto"}, "fp16": {"enabled": False, "loss_scale": 0}}
    settings |= {"zero_optimization": {"stage": 1, "reduce_bucket_size": 1000}, "steps_per_print": 10}
    (tmp_path / "zero.json").write_text(json.dumps(settings))
    file = ("--use_deepspeed", "--deepspeed_config_file", str(tmp_path / "zero.json"))
    found = asked_by(monkeypatch, launched_by_flags(*file))
    assert found == {"stage": 1, "reduce_bucket_size": 1000}


@pytest.mark.parametrize("found", [None, "0.19.7"])
def test_deepspeed_that_is_not_there_or_too_old_is_asked_for(found, tmp_path, monkeypatch):
    for key, value in launched_by_flags(*DEEPSPEED, "2").items():
        monkeypatch.setenv(key, value)
    if found:
        install_deepspeed(found, tmp_path, monkeypatch)
    else:
        monkeypatch.setitem(sys.modules, "deepspeed", None)
    with pytest.raises(UsageError, match=r"0\.19\.8 or newer: pip install 'pairwright\[deepspeed\]'"):
        divided.asked()


def test_processes_without_a_gpu_do_not_train_each_for_itself_under_deepspeed(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    alone = SimpleNamespace(is_fsdp2=False, num_processes=1, distributed_type=DistributedType.NO)
    refuse_unsupported(alone)
    with pytest.raises(UsageError, match=r"no GPU was found for 2 processes: give --use_cpu"):
        refuse_unsupported(alone, divided=True)


@pytest.mark.parametrize("device", [[], ["--use_cpu"]], ids=["", "use_cpu"])
def test_a_refusal_of_deepspeed_is_one_sentence(device, tmp_path):
    own = TinyRun(tmp_path)
    command = [sys.executable, "-m", "pairwright", "train", "--output_dir", str(tmp_path / "out")]
    command += ["--model", own.settings["model"], "--data", own.settings["data"], *device]
    environment = os.environ | launched_by_flags(*DEEPSPEED, "3")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    [said] = done.stderr.splitlines()
    assert said.startswith("pairwright: ZeRO-3 is not supported")
    assert not (tmp_path / "out").exists()


def test_a_launch_ends_when_one_of_its_processes_is_killed(tmp_path):
    own = TinyRun(tmp_path)
    settings = own.settings | {"output_dir": str(tmp_path / "out"), "max_steps": 2000, "save_steps": 2}
    flags = [f"--{name}={value}" for name, value in settings.items() if not isinstance(value, bool)]
    launch = ["launch", "--config_file", str(CONFIGS / "fsdp2.yaml"), "--num_processes", "2"]
    launch += ["--main_process_port", "0", "-m", "pairwright", "train"]
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", *launch, *flags]
    run = subprocess.Popen([*command, "--use_cpu", "--no-bf16"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while not list((tmp_path / "out").glob("checkpoint-*")):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.01)
    workers = [p for p in psutil.Process(run.pid).children() if "train" in p.cmdline()]
    assert len(workers) == 2
    workers[1].kill()
    _, errors = run.communicate(timeout=300)
    assert run.returncode != 0
    assert "SIGKILL" in errors
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in workers)
