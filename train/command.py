"""`pairwright train` for the command line: settings at once, torch only when there is work."""

from typing import TYPE_CHECKING

from train.config import TrainConfig

if TYPE_CHECKING:
    from train.result import TrainResult

__all__ = ["TrainConfig", "train"]


def train(config: TrainConfig) -> "TrainResult":
    """`train.trainer.train`, imported now."""
    from train.trainer import train as train_now

    return train_now(config)
