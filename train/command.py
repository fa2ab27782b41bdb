"""Commands of this room: settings at once, torch only when there is work."""

from typing import TYPE_CHECKING

from train.adversarial.config import GameConfig
from train.config import TrainConfig
from train.on_policy.config import LoopConfig
from train.reward_model.config import RewardConfig
from train.score_config import ScoreConfig

if TYPE_CHECKING:
    from pairwright.folders.manifest import Manifest
    from train.result import TrainResult

__all__ = [
    "GameConfig",
    "LoopConfig",
    "RewardConfig",
    "ScoreConfig",
    "TrainConfig",
    "game",
    "loop",
    "reward",
    "score",
    "train",
]


def train(config: TrainConfig) -> "TrainResult":
    """`train.trainer.trainer.train`, imported now; with the loss that `auto` comes to."""
    from train.trainer.trainer import train as train_now

    if config.loss == "auto":
        from train.preference.auto import with_loss

        config = with_loss(config)
    return train_now(config)


def reward(config: RewardConfig) -> "TrainResult":
    """The same for a reward model."""
    from train.trainer.trainer import train as train_now

    return train_now(config)


def score(config: ScoreConfig) -> "Manifest | None":
    """`train.reward_model.score.score`, imported now."""
    from train.reward_model.score import score as score_now

    return score_now(config)


def game(config: GameConfig) -> None:
    """`train.adversarial.game.game`, imported now; shows the table that came of it."""
    from rich.console import Console

    from train.adversarial.game import game as play
    from train.adversarial.table import as_rich

    Console().print(as_rich(play(config)))


def loop(config: LoopConfig) -> None:
    """`train.on_policy.loop.loop`, imported now; shows the table that came of it."""
    from rich.console import Console

    from train.on_policy.loop import loop as go
    from train.on_policy.table import as_rich

    Console().print(as_rich(go(config)))
