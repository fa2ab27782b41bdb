"""Several real processes that train together over gloo, as a launcher would start them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env

CONFIGS = Path(__file__).parents[1] / "examples" / "accelerate"
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
        print(train(config(**settings)).status, flush=True)
    except PairwrightError as error:
        print(type(error).__name__, error, flush=True)
"""


def started(
    settings: Sequence[Mapping[str, Any]], *, ranks: int = 2, launch: Mapping[str, str] | None = None
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
    command = [sys.executable, "-c", CODE, json.dumps(settings)]
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
    settings: Sequence[Mapping[str, Any]], *, ranks: int = 2, launch: Mapping[str, str] | None = None
) -> list[str]:
    """Train in several processes; what each of them said."""
    said = []
    for process in started(settings, ranks=ranks, launch=launch):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err[-3000:]
        said.append(out)
    return said


def launched_with(name: str) -> dict[str, str]:
    """What `accelerate launch --config_file examples/accelerate/NAME` puts into the environment."""
    parser = launch_command_parser()
    args = parser.parse_args(["--config_file", str(CONFIGS / name), "script.py"])
    args, _, _ = _validate_launch_command(args)
    found = prepare_multi_gpu_env(args)
    return {key: value for key, value in found.items() if key.startswith(("ACCELERATE_", "FSDP_"))}
