"""A training run made ready: model, items, optimizer and the state to resume from."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from accelerate import Accelerator

from pairwright.errors import UsageError
from pairwright.models.loading import warn_where_slow
from train.config import TrainingConfig
from train.data.split import Item, describe_dropped, warn_of_window
from train.devices.accelerator import uses_bf16
from train.devices.processes import say
from train.devices.strategy import strategy_for
from train.forward.support import TreeSupport, take_fastest, tree_support
from train.models.language import require_vocabulary
from train.output.carried import take_up_optimizer
from train.output.folder import METRICS_FILE
from train.output.metrics import MetricLog, MetricSums
from train.output.record import RunRecord
from train.output.state import TrainState, load_training
from train.output.trackers import Reporter
from train.trainer.batches import beyond, count_prompts, require_room
from train.trainer.optimizers import optimizer_for
from train.trainer.plan import Plan
from train.trainer.schedule import Schedule
from train.trainer.task import Dataset, Run

log = logging.getLogger(__name__)

_LOOKED_AT = 4
"""Items a process looks at before the first update."""


class Prepared(NamedTuple):
    """Everything that the updates need."""

    plan: Plan
    record: RunRecord
    run: Run
    training: Dataset
    held_out: Dataset
    state: TrainState
    log: MetricLog
    reporter: Reporter

    @property
    def config(self) -> TrainingConfig:
        """The settings."""
        return self.plan.config

    @property
    def schedule(self) -> Schedule:
        """Which items each update sees."""
        return self.plan.schedule

    @property
    def accelerator(self) -> Accelerator:
        """Devices and processes."""
        return self.run.accelerator

    @property
    def output(self) -> Path:
        """Where everything is written."""
        return Path(self.config.output_dir)


def prepare(plan: Plan, record: RunRecord, accelerator: Accelerator) -> Prepared:
    """Load the model and compute what must be known before the first update."""
    config, task, pairs, counts = plan.config, plan.task, plan.split, record.counts
    say(
        f"{counts['pairs']} pairs to train on, {counts['held_out_pairs']} held out; "
        f"left out: {describe_dropped(pairs.dropped)}"
    )
    warn_of_window(config.model, [*pairs.training, *pairs.held_out])
    for items in (pairs.training, pairs.held_out):
        require_room(items, config.micro_batch_tokens)
    if config.bf16 and accelerator.device.type == "cpu":
        warn_where_slow("bfloat16", "--bf16")
    model = task.load_model(bf16=uses_bf16(config))
    for items in (pairs.training, pairs.held_out):
        require_vocabulary(model, config.model, items)
    if accelerator.is_fsdp2:
        tree_support(model)  # while its weights are whole, and in float32
    strategy = strategy_for(accelerator, model)
    if accelerator.is_fsdp2:
        # Sharding looks at what is trained when it is first run, so adapters must be on then.
        take_fastest(strategy.policy)
    support = tree_support(strategy.policy)
    if not support.causal and model.get_output_embeddings() is not None:
        raise UsageError(
            f"{config.model}: its tokens see those that come after them, so it does not write one after "
            "the other, and an answer has no log-probability under it"
        )
    _say_what_is_padded(support, pairs.training)
    training = task.prepare(accelerator, strategy.policy, pairs.training, plan.schedule.used())
    held_out = task.prepare(accelerator, strategy.policy, pairs.held_out)
    optimizer = optimizer_for(model, config, accelerator.device)
    made = strategy.optimize(optimizer, config.max_grad_norm)
    run = Run(strategy, task, config.micro_batch_tokens)
    window = MetricSums(accelerator.device, task.metrics)
    state = TrainState(model, strategy.outline, plan.tokenizer, made, window)
    metric_log = MetricLog(Path(config.output_dir) / METRICS_FILE)
    reporter = Reporter(accelerator, metric_log, plan.schedule.num_updates)
    return Prepared(plan, record, run, training, held_out, state, metric_log, reporter)


def _say_what_is_padded(support: TreeSupport, items: Sequence[Item]) -> None:
    """Warn of prompts whose answers reach beyond an attention window, and so are no trees."""
    if support.trees and (long := beyond(items, support.reach)):
        prompts = count_prompts(range(len(items)), items)
        log.warning(
            "%d of %d prompts have answers that end beyond the attention window of %d tokens: these run "
            "on padded sequences, each with its prompt",
            long,
            prompts,
            support.reach,
        )


def resume(prepared: Prepared, checkpoint: Path | None) -> int:
    """Restore a checkpoint, if any; returns the number of updates done."""
    first, done = prepared.accelerator.is_main_process, 0
    if checkpoint is None:
        take_up_optimizer(prepared.state, prepared.config)
    else:
        done = load_training(prepared.state, checkpoint, first=first)
        say(f"going on after update {done} of {prepared.schedule.num_updates}")
    if first:
        prepared.log.rewind(done if checkpoint else -1)  # update 0 is evaluated again at the start
        prepared.reporter.start(prepared.output, prepared.record.config)
    return done


def check_start(prepared: Prepared) -> None:
    """Check the first micro-batches before anything is trained."""
    size = _LOOKED_AT * prepared.accelerator.num_processes
    prepared.run.task.check_start(prepared.run, prepared.training, prepared.schedule.pairs_of(1)[:size])
