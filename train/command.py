"""Commands of this room: settings at once, torch only when there is work."""

from typing import TYPE_CHECKING

from train.config import TrainConfig
from train.game_config import GameConfig
from train.loop_config import LoopConfig
from train.reward_config import RewardConfig
from train.score_config import ScoreConfig

if TYPE_CHECKING:
    from pairwright.manifest import Manifest
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
    """`train.trainer.train`, imported now; with the loss that `auto` comes to."""
    from train.trainer import train as train_now

    if config.loss == "auto":
        from train.auto import with_loss

        config = with_loss(config)
    return train_now(config)


def reward(config: RewardConfig) -> "TrainResult":
    """The same for a reward model."""
    from train.trainer import train as train_now

    return train_now(config)


def score(config: ScoreConfig) -> "Manifest | None":
    """`train.scoring.score`, imported now."""
    from train.scoring import score as score_now

    return score_now(config)


def game(config: GameConfig) -> None:
    """`train.game.game`, imported now; shows the table that came of it."""
    from rich.console import Console

    from train.game import game as play
    from train.game_table import as_rich

    Console().print(as_rich(play(config)))


def loop(config: LoopConfig) -> None:
    """`train.loop.loop`, imported now; shows the table that came of it."""
    from rich.console import Console

    from train.loop import loop as go
    from train.loop_table import as_rich

    Console().print(as_rich(go(config)))
