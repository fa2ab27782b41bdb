"""Train a model or a reward model: the task that the settings name, run by the trainer."""

from pairwright.errors import UsageError
from pairwright.inputs.labelled import are_labelled
from pairwright.models.remote_code import trusting
from train.config import TrainingConfig
from train.devices.processes import say
from train.losses.facts import RANKED
from train.output.record import TrainResult
from train.preference.balanced import BalancedTask, balancing, refuse_balancing
from train.preference.config import TrainConfig
from train.preference.kto import KtoTask
from train.preference.ranked import RankedTask
from train.preference.task import PreferenceTask
from train.preference.unpaired import UNPAIRED, unpaired_task
from train.reward_model.config import RewardConfig
from train.reward_model.task import RewardTask
from train.trainer import trainer
from train.trainer.task import Task


def train(config: TrainingConfig, task: Task | None = None) -> TrainResult:
    """Train by the settings, or continue a run that was cut short; `auto` is resolved to a loss first.

    `task` is what the settings ask for unless one is given, say a variant that looks closer. Raises
    `UsageError` for what cannot be used as given, before anything is written, and `PairwrightError`
    for what went wrong; the same settings then go on from the last checkpoint.
    """
    with trusting(config.trust_remote_code):
        if isinstance(config, TrainConfig) and config.loss == "auto":
            from train.preference.auto import with_loss

            config = with_loss(config)
        return trainer.train_task(config, task or task_of(config))


def task_of(config: TrainingConfig) -> Task:
    """Return the task that the settings describe."""
    if isinstance(config, RewardConfig):
        return RewardTask(config)
    assert isinstance(config, TrainConfig)
    if config.loss == "auto":
        raise UsageError("loss auto must be resolved first, by train.preference.auto.with_loss")
    if are_labelled((*config.sources, *config.eval_data)):
        if config.loss in UNPAIRED:
            refuse_balancing(config)
            return unpaired_task(config)
        say(
            f"{config.loss} has no form for single answers: those with a `label` are paired by prompt, "
            f"desirable over undesirable; {', '.join(UNPAIRED)} take each by itself"
        )
    if config.loss == "kto" or config.loss in RANKED:
        refuse_balancing(config)
        return KtoTask(config) if config.loss == "kto" else RankedTask(config)
    coefficient = balancing(config)
    return BalancedTask(config, coefficient) if coefficient else PreferenceTask(config)
