"""Commands of this room: settings at once, torch only when there is work."""

from typing import TYPE_CHECKING

from train.config import TrainConfig
from train.reward_config import RewardConfig
from train.score_config import ScoreConfig

if TYPE_CHECKING:
    from pairwright.manifest import Manifest
    from train.result import TrainResult

__all__ = ["RewardConfig", "ScoreConfig", "TrainConfig", "reward", "score", "train"]


def train(config: TrainConfig) -> "TrainResult":
    """`train.trainer.train`, imported now."""
    from train.trainer import train as train_now

    return train_now(config)


def reward(config: RewardConfig) -> "TrainResult":
    """The same for a reward model."""
    from train.trainer import train as train_now

    return train_now(config)


def score(config: ScoreConfig) -> "Manifest | None":
    """`train.scoring.score`, imported now."""
    from train.scoring import score as score_now

    return score_now(config)
