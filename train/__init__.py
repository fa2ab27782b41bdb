"""Pairs to weights: trainings, reward models, on-policy rounds and the game.

Importing it loads settings alone; torch comes with the first call.
"""

from typing import TYPE_CHECKING

from train.adversarial.config import GameConfig
from train.on_policy.config import LoopConfig
from train.preference.config import TrainConfig
from train.reward_model.config import RewardConfig, ScoreConfig
from train.selection.config import SelectConfig

if TYPE_CHECKING:
    from pairwright.folders.manifest import Manifest
    from train.output.record import TrainResult

__all__ = [
    "GameConfig",
    "LoopConfig",
    "RewardConfig",
    "ScoreConfig",
    "SelectConfig",
    "TrainConfig",
    "game",
    "loop",
    "reward",
    "score",
    "select",
    "train",
]


def train(config: TrainConfig) -> "TrainResult":
    """Train a model on preference pairs, or go on with a run that was cut short."""
    from train.training import train as run

    return run(config)


def reward(config: RewardConfig) -> "TrainResult":
    """Train a reward model on preference pairs, or go on with a run that was cut short."""
    from train.training import train as run

    return run(config)


def score(config: ScoreConfig) -> "Manifest | None":
    """Score the answers to every prompt with a reward model."""
    from train.reward_model.score import score as run

    return run(config)


def select(config: SelectConfig) -> "Manifest | None":
    """Keep the pairs that are worth training on, and say what was dropped."""
    from train.selection.selection import select as run

    return run(config)


def game(config: GameConfig) -> None:
    """Play rounds of reward model against language model; show the table that came of it."""
    from rich.console import Console

    from train.adversarial.game import game as play
    from train.adversarial.table import as_rich

    if rows := play(config):  # none after a preview
        Console().print(as_rich(rows))


def loop(config: LoopConfig) -> None:
    """Go through on-policy rounds; show the table that came of it."""
    from rich.console import Console

    from train.on_policy.loop import loop as go
    from train.on_policy.table import as_rich

    if rows := go(config):  # none after a preview
        Console().print(as_rich(rows))
