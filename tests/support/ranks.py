"""Several real processes that train together over gloo, as a launcher would start them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env
from places import ROOT

CONFIGS = ROOT / "examples" / "accelerate"
WITH_DEEPSPEED = {"PYTHONPATH": str(ROOT / ".venv-deepspeed")}
"""Where `make test-deepspeed` puts it; to be had by the tests that it runs, and by no others."""
CODE = """
import json, sys
import torch
torch.set_num_threads(1)
from pairwright.errors import PairwrightError
from train.preference.config import TrainConfig
from train.reward_model.config import RewardConfig
from train.training import train
for settings in json.loads(sys.argv[1]):
    try:
        config = RewardConfig if "golden_data" in settings else TrainConfig
        print(train(config(**settings)).status, flush=True)
    except PairwrightError as error:
        print(type(error).__name__, error, flush=True)
"""


def started(
    settings: Sequence[Mapping[str, Any]],
    *,
    ranks: int = 2,
    launch: Mapping[str, str] | None = None,
    code: str = CODE,
) -> list[subprocess.Popen[str]]:
    """Processes that train, one run after the other, under the environment of a launch."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "ACCELERATE_USE_CPU": "true",
    }
    command = [sys.executable, "-c", code, json.dumps(settings)]
    return [
        subprocess.Popen(
            command,
            env={**os.environ, **(launch or {}), **common, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in map(str, range(ranks))
    ]


def together(
    settings: Sequence[Mapping[str, Any]],
    *,
    ranks: int = 2,
    launch: Mapping[str, str] | None = None,
    code: str = CODE,
) -> list[str]:
    """Train in several processes; what each of them said."""
    said = []
    for process in started(settings, ranks=ranks, launch=launch, code=code):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err[-3000:]
        said.append(out)
    return said


def launched_with(name: str, *flags: str) -> dict[str, str]:
    """What `accelerate launch --config_file examples/accelerate/NAME` puts into the environment."""
    return _environment("--config_file", str(CONFIGS / name), *flags)


def launched_by_flags(*flags: str) -> dict[str, str]:
    """What `accelerate launch` puts into the environment without a file."""
    return _environment("--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", *flags)


def _environment(*flags: str) -> dict[str, str]:
    args = launch_command_parser().parse_args([*flags, "--main_process_port", "0", "script.py"])
    args, defaults, _ = _validate_launch_command(args)
    if args.use_deepspeed:
        args.deepspeed_fields_from_accelerate_config = ",".join(
            defaults.deepspeed_config if defaults else ()
        )
        _, found = prepare_deepspeed_cmd_env(args)
    else:
        found = prepare_multi_gpu_env(args)
    return {key: value for key, value in found.items() if key.startswith(("ACCELERATE_", "FSDP_"))}
