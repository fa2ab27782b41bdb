"""Which task a configuration asks for."""

from train.config import TrainConfig, TrainingConfig
from train.preference import PreferenceTask
from train.task import Task


def task_of(config: TrainingConfig) -> Task:
    """The task that the settings describe."""
    assert isinstance(config, TrainConfig)
    return PreferenceTask(config)
