"""Which task a configuration asks for."""

from pairwright.errors import UsageError
from train.config import RANKED_LOSSES, TrainConfig, TrainingConfig
from train.preference import PreferenceTask
from train.ranked_task import RankedTask
from train.reward import RewardTask
from train.reward_config import RewardConfig
from train.task import Task


def task_of(config: TrainingConfig) -> Task:
    """The task that the settings describe."""
    if isinstance(config, RewardConfig):
        return RewardTask(config)
    assert isinstance(config, TrainConfig)
    if config.loss == "auto":
        raise UsageError("loss auto must come to a loss first: train.auto.with_loss finds it")
    return RankedTask(config) if config.loss in RANKED_LOSSES else PreferenceTask(config)
