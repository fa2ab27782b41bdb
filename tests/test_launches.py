"""The launch configurations that are shipped: read by accelerate's own loader, and what they ask for."""

import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_deepspeed_cmd_env
from ranks import CONFIGS, launched_with
from tiny_model import TinyRun

from pairwright.errors import UsageError
from train.setup import _refuse_unsupported

KINDS = {
    "single_gpu.yaml": ("NO", 1, 1),
    "multi_gpu.yaml": ("MULTI_GPU", 1, 8),
    "fsdp2.yaml": ("FSDP", 1, 8),
    "fsdp2_multi_node.yaml": ("FSDP", 2, 16),
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
    _refuse_unsupported(sharded_as_launched())
    monkeypatch.setenv(switch, "true")
    with pytest.raises(UsageError, match=sentence):
        _refuse_unsupported(sharded_as_launched())


def sharded_as_launched() -> SimpleNamespace:
    """What of an accelerator is looked at, with the plugin that the environment makes."""
    return SimpleNamespace(
        is_fsdp2=True, state=SimpleNamespace(fsdp_plugin=FullyShardedDataParallelPlugin())
    )


def test_deepspeed_is_refused_in_a_sentence(tmp_path, monkeypatch):
    """In the environment of the launcher's own making, whether or not the engine is installed."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    flags = ["--use_deepspeed", "--zero_stage", "2", "--main_process_port", "0", "-m", "pairwright.cli"]
    args = launch_command_parser().parse_args(["--num_processes", "1", "--num_machines", "1", *flags])
    args.mixed_precision, args.deepspeed_fields_from_accelerate_config = "no", ""
    _, environment = prepare_deepspeed_cmd_env(args)
    assert environment["ACCELERATE_USE_DEEPSPEED"] == "true"
    own = TinyRun(tmp_path)
    command = [sys.executable, "-m", "pairwright.cli", "train", "--output_dir", str(tmp_path / "out")]
    command += ["--model", own.settings["model"], "--data", own.settings["data"]]
    for device in ([], ["--use_cpu"]):
        done = subprocess.run(
            [*command, *device], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        [said] = done.stderr.splitlines()
        assert said.startswith("pairwright: training with DeepSpeed is not supported")
    assert not (tmp_path / "out").exists()


def test_a_launch_ends_when_one_of_its_processes_is_killed(tmp_path):
    own = TinyRun(tmp_path)
    settings = own.settings | {"output_dir": str(tmp_path / "out"), "max_steps": 2000, "save_steps": 2}
    flags = [f"--{name}={value}" for name, value in settings.items() if not isinstance(value, bool)]
    launch = ["launch", "--config_file", str(CONFIGS / "fsdp2.yaml"), "--num_processes", "2"]
    launch += ["--main_process_port", "0", "-m", "pairwright.cli", "train"]
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", *launch, *flags]
    run = subprocess.Popen([*command, "--use_cpu", "--no-bf16"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out").glob("checkpoint-*")):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.01)
    workers = [p for p in psutil.Process(run.pid).children() if "train" in p.cmdline()]
    assert len(workers) == 2
    workers[1].kill()
    _, errors = run.communicate(timeout=60)
    assert run.returncode != 0
    assert "SIGKILL" in errors
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in workers)
