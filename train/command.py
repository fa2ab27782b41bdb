"""`pairwright train` for the command line: settings at once, torch only when there is work."""

import os
from typing import TYPE_CHECKING

from train.config import TrainConfig

if TYPE_CHECKING:
    from train.result import TrainResult

__all__ = ["TrainConfig", "train"]


def train(config: TrainConfig) -> "TrainResult":
    """`train.trainer.train`, imported now."""
    # Threads that spin while they wait cost a factor of five where others use the cores too. The
    # runtime reads this once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from train.trainer import train as train_now

    return train_now(config)
