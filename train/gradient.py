"""The gradient of one update, and the same measures on what is held out, whatever the task."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from pairwright.errors import PairwrightError
from train.batches import MicroBatch, deal
from train.forward import way_of
from train.metrics import MetricSums
from train.task import Dataset, Task


class Trainee(NamedTuple):
    """What the functions here work on."""

    accelerator: Accelerator
    policy: nn.Module
    task: Task
    micro_batch_tokens: int

    def deal(self, indices: Sequence[int], data: Dataset) -> list[MicroBatch]:
        """This process's share of some pairs."""
        return deal(
            indices,
            data.pairs,
            budget=self.micro_batch_tokens,
            rank=self.accelerator.process_index,
            world=self.accelerator.num_processes,
            trees=way_of(self.policy).trees,
        )


class Suspects(NamedTuple):
    """Which pairs of an update had a loss or log-probability that is not finite."""

    indices: list[int]
    bad: Tensor
    """One bool per index, on the device."""


def add_gradient(trainee: Trainee, data: Dataset, indices: Sequence[int], sums: MetricSums) -> Suspects:
    """Add the gradient of the mean loss over the pairs of an update to the weights' `.grad`.

    Every pair counts 1 / (pairs of the update), however they are dealt to processes and
    micro-batches. Metrics go to `sums`. There is no host sync in here.
    """
    accelerator, policy = trainee.accelerator, trainee.policy
    # Gradients are averaged over processes, so each gives its sum times their number.
    share = accelerator.num_processes / len(indices)
    micros = trainee.deal(indices, data)
    bad = []
    for number, micro in enumerate(micros, start=1):
        with nullcontext() if number == len(micros) else accelerator.no_sync(policy):
            measured = trainee.task.measure(policy, data, micro.indices)
            accelerator.backward(measured.losses_B.sum() * (share * micro.weight))
        sums.add(measured.metrics_KB, micro.weight)
        bad.append(~measured.sound_B)
    return Suspects([i for micro in micros for i in micro.indices], torch.cat(bad))


@torch.no_grad()
def evaluate(trainee: Trainee, data: Dataset) -> dict[str, float]:
    """Means over all pairs of `data`, named with `eval_` before; nothing for no pairs."""
    sums = MetricSums(trainee.accelerator.device, trainee.task.metrics)
    for micro in trainee.deal(range(len(data.pairs)), data):
        measured = trainee.task.measure(trainee.policy, data, micro.indices)
        sums.add(measured.metrics_KB, micro.weight)
    return sums.means(trainee.accelerator, prefix="eval_")


def stop_if_unsound(trainee: Trainee, suspects: Suspects, data: Dataset, norm: Tensor) -> None:
    """Raise `PairwrightError`, naming rows, if a loss or the gradient of an update is not finite.

    The one host sync of an update: weights must never take such a step, on any process.
    """
    accelerator = trainee.accelerator
    faults = suspects.bad.sum() + (~torch.isfinite(norm)).sum()
    if not accelerator.reduce(faults, reduction="sum").item():
        return
    bad = suspects.bad.tolist()
    named = [i for i, is_bad in zip(suspects.indices, bad, strict=True) if is_bad]
    rows = sorted({data.pairs[index].row_id for index in named or suspects.indices})
    rows = sorted(set(gather_object(rows))) if accelerator.num_processes > 1 else rows
    what = "loss" if any(bad) else "gradient"
    raise PairwrightError(
        f"the {what} is not finite; the update was not made. Rows: {', '.join(rows[:20])}"
        f"{' …' if len(rows) > 20 else ''}. Look at them, or lower the learning_rate"
    )
