"""Which task a configuration asks for."""

from pairwright.errors import UsageError
from train.config import RANKED_LOSSES, TrainConfig, TrainingConfig
from train.preference.ranked import RankedTask
from train.preference.task import PreferenceTask
from train.reward_model.config import RewardConfig
from train.reward_model.task import RewardTask
from train.trainer.task import Task


def task_of(config: TrainingConfig) -> Task:
    """The task that the settings describe."""
    if isinstance(config, RewardConfig):
        return RewardTask(config)
    assert isinstance(config, TrainConfig)
    if config.loss == "auto":
        raise UsageError("loss auto must come to a loss first: train.auto.with_loss finds it")
    return RankedTask(config) if config.loss in RANKED_LOSSES else PreferenceTask(config)
