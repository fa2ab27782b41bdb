"""A training run made ready: model, items, optimizer and the state to go on from."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator

from train import zero
from train.batches import require_room
from train.config import TrainingConfig
from train.console import say
from train.folder import METRICS_FILE, TrainRecord
from train.forward import way_of
from train.gradient import Trainee
from train.metrics import MetricLog, MetricSums
from train.model import require_vocabulary
from train.pairs import Pairs, describe_dropped
from train.schedule import Schedule
from train.setup import uses_bf16
from train.sharding import outline, shard
from train.state import Training, load_training, parameter_groups
from train.task import Dataset, Task
from train.trackers import Reporter

_LOOKED_AT = 4
"""Items a process looks at before the first update."""


class Run(NamedTuple):
    """All that the updates need."""

    config: TrainingConfig
    record: TrainRecord
    schedule: Schedule
    trainee: Trainee
    training: Dataset
    held_out: Dataset
    state: Training
    log: MetricLog
    reporter: Reporter

    @property
    def accelerator(self) -> Accelerator:
        """Devices and processes."""
        return self.trainee.accelerator

    @property
    def output(self) -> Path:
        """Where everything is written."""
        return Path(self.config.output_dir)


def prepare(
    config: TrainingConfig,
    task: Task,
    record: TrainRecord,
    schedule: Schedule,
    accelerator: Accelerator,
    pairs: Pairs[Any],
    tokenizer: object,
) -> Run:
    """Load the model, and find out from it what is to be known before the first update."""
    counts = record.counts
    say(
        f"{counts['pairs']} pairs to train on, {counts['held_out_pairs']} held out; "
        f"left out: {describe_dropped(pairs.dropped)}"
    )
    for items in (pairs.training, pairs.held_out):
        require_room(items, config.micro_batch_tokens)
    model = task.load_model(bf16=uses_bf16(config))
    for items in (pairs.training, pairs.held_out):
        require_vocabulary(model, config.model, items)
    outlined = outline(model) if accelerator.is_fsdp2 else None
    section = zero.asked()
    if accelerator.is_fsdp2:
        policy = shard(accelerator, model)
    else:
        policy = accelerator.prepare_model(model, evaluation_mode=section is not None)
    # Sharding looks at what is trained when it is first run, so adapters must be on then.
    way_of(policy)
    trainee = Trainee(accelerator, policy, task, config.micro_batch_tokens)
    training = task.prepare(accelerator, policy, pairs.training)
    held_out = task.prepare(accelerator, policy, pairs.held_out)
    optimizer: torch.optim.Optimizer = torch.optim.AdamW(
        parameter_groups(model, config.weight_decay),
        lr=config.learning_rate,
        fused=accelerator.device.type in ("cpu", "cuda"),
    )
    if section is not None:
        optimizer = zero.divide(trainee, optimizer, section, config.max_grad_norm)
    window = MetricSums(accelerator.device, task.metrics)
    state = Training(model, outlined, tokenizer, optimizer, window)
    metric_log = MetricLog(Path(config.output_dir) / METRICS_FILE)
    reporter = Reporter(accelerator, metric_log, schedule.num_updates)
    return Run(config, record, schedule, trainee, training, held_out, state, metric_log, reporter)


def resume(run: Run, checkpoint: Path | None) -> int:
    """Take up the state of a checkpoint, if any; returns the updates that are done."""
    first, done = run.accelerator.is_main_process, 0
    if checkpoint is not None:
        done = load_training(run.state, checkpoint, first=first)
        say(f"going on after update {done} of {run.schedule.num_updates}")
    if first:
        run.log.rewind(done if checkpoint else -1)  # update 0 is evaluated again at the start
        run.reporter.start(run.output, run.record.config)
    return done


def check_start(run: Run) -> None:
    """Look at the first micro-batches before anything is trained."""
    size = _LOOKED_AT * run.accelerator.num_processes
    run.trainee.task.check_start(run.trainee, run.training, run.schedule.pairs_of(1)[:size])
