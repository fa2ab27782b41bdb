"""Commands of this room: settings at once, torch only when there is work."""

from typing import TYPE_CHECKING

from train.config import TrainConfig
from train.reward_config import RewardConfig

if TYPE_CHECKING:
    from train.result import TrainResult

__all__ = ["RewardConfig", "TrainConfig", "reward", "train"]


def train(config: TrainConfig) -> "TrainResult":
    """`train.trainer.train`, imported now."""
    from train.trainer import train as train_now

    return train_now(config)


def reward(config: RewardConfig) -> "TrainResult":
    """The same for a reward model."""
    from train.trainer import train as train_now

    return train_now(config)
