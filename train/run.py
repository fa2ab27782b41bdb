"""A training run made ready: model, reference, optimizer and the state to go on from."""

import logging
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator

from pairwright.errors import PairwrightError
from train.batches import PairSet
from train.config import TrainConfig
from train.console import say
from train.folder import METRICS_FILE, TrainRecord
from train.gradient import STOP_REWARD, WARN_REWARD, Trainee, start_reward
from train.metrics import MetricLog, MetricSums
from train.model import load_model
from train.objective import objective_of
from train.pairs import Pairs, describe_dropped
from train.reference import with_reference
from train.schedule import Schedule
from train.setup import uses_bf16
from train.state import Training, load_training, parameter_groups
from train.trackers import Reporter

log = logging.getLogger(__name__)


class Run(NamedTuple):
    """All that the updates need."""

    config: TrainConfig
    record: TrainRecord
    schedule: Schedule
    trainee: Trainee
    training: PairSet
    held_out: PairSet
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
    config: TrainConfig,
    record: TrainRecord,
    schedule: Schedule,
    accelerator: Accelerator,
    pairs: Pairs,
    tokenizer: object,
) -> Run:
    """Load the model, ask it for the reference while it still is the reference."""
    counts = record.counts
    say(
        f"{counts['pairs']} pairs to train on, {counts['held_out_pairs']} held out; "
        f"left out: {describe_dropped(pairs.dropped)}"
    )
    model = load_model(config, bf16=uses_bf16(config))
    policy = accelerator.prepare_model(model)
    trainee = Trainee(accelerator, policy, objective_of(config), config.micro_batch_size)
    size = config.micro_batch_size
    say("asking the reference, once, about every pair")
    training = with_reference(accelerator, policy, pairs.training, size=size)
    held_out = with_reference(accelerator, policy, pairs.held_out, size=size)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config.weight_decay),
        lr=config.learning_rate,
        fused=accelerator.device.type in ("cpu", "cuda"),
    )
    state = Training(model, tokenizer, optimizer, MetricSums(accelerator.device))
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
    """Stop, or warn, if policy and reference differ before anything was trained."""
    size = run.config.micro_batch_size * run.accelerator.num_processes
    reward = start_reward(run.trainee, run.training, run.schedule.pairs_of(1)[:size])
    value = run.trainee.objective.at_reference
    say(f"before the first update mean |reward| is {reward:.1e}; {run.config.loss} is {value:.4f} at 0")
    if not reward <= STOP_REWARD:
        raise PairwrightError(
            f"before the first update mean |reward| is {reward:.3g} and must be 0: policy and "
            "reference are not the same model, or its forward pass is random; nothing was trained"
        )
    if reward > WARN_REWARD:
        log.warning(
            "before the first update mean |reward| is %.3g and should be 0: a coarse number format "
            "or a random forward pass makes policy and reference differ",
            reward,
        )
