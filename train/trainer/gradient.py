"""The gradient of one update, and the same measures on held-out items, for any task."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import torch
from accelerate.utils import gather_object
from torch import Tensor

from pairwright.errors import PairwrightError
from train.output.metrics import MetricSums
from train.trainer.passes import Divided, measured_of
from train.trainer.task import Dataset, Run

log = logging.getLogger(__name__)
_NO_MEMORY = ("can't allocate memory", "CUDA out of memory")


class Suspects(NamedTuple):
    """Which pairs of an update had a loss or log-probability that is not finite."""

    indices: list[int]
    bad: Tensor
    """One bool per index, on the device."""


def add_gradient(run: Run, data: Dataset, indices: Sequence[int], sums: MetricSums) -> Suspects:
    """Set the weights' `.grad` to the gradient of the mean loss over the pairs of an update.

    Every pair counts 1 / (pairs of the update), however they are dealt to processes and
    micro-batches. Metrics go to `sums`. Where memory runs out, the update begins again in forward
    passes of half as many tokens, and so do all after it: the gradient is the same.
    Raises `PairwrightError`, naming a row, if memory is too small for that row alone.
    """
    before = sums.copy()
    while True:
        try:
            run.task.look_ahead(run, data, indices)
            return _add_gradient(run, data, indices, sums)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            _take_less(run, data, indices)
        run.policy.zero_grad()
        sums.restore(before)


def _add_gradient(run: Run, data: Dataset, indices: Sequence[int], sums: MetricSums) -> Suspects:
    """The same for once. There is no host sync in here."""
    # Gradients are averaged over processes, so each gives its sum times their number.
    share = run.accelerator.num_processes / len(indices)
    micros = run.deal(indices, data)
    left = sum(len(micro.parts) or 1 for micro in micros)
    bad = []
    divided = [
        Divided(run.task, run.policy, data, micro, share * micro.weight) for micro in micros if micro.parts
    ]
    for some in divided:
        passes = some.passes()
        for _ in some.micro.parts:
            left -= 1
            with run.strategy.adding(last=not left):
                run.strategy.backward(next(passes))
    for micro in (micro for micro in micros if not micro.parts):
        left -= 1
        with run.strategy.adding(last=not left):
            measured = run.task.measure(run.policy, data, micro.indices)
            run.strategy.backward(measured.losses_B.sum() * (share * micro.weight))
        sums.add(measured.metrics_KB, micro.weight)
        bad.append(~measured.sound_B)
    for some in divided:
        sums.add(some.measured.metrics_KB, some.micro.weight)
        bad.append(~some.measured.sound_B)
    ordered = sorted(micros, key=lambda micro: bool(micro.parts))
    return Suspects([i for micro in ordered for i in micro.indices], torch.cat(bad))


@torch.no_grad()
def evaluate(run: Run, data: Dataset) -> dict[str, float]:
    """Return the means of all metrics over the pairs of `data`, with names that begin with `eval_`.

    No pairs give no metrics.
    """
    sums = MetricSums(run.accelerator.device, run.task.metrics)
    run.task.look_ahead(run, data, range(len(data.items)))
    for micro in run.deal(range(len(data.items)), data):
        measured = measured_of(run.task, run.policy, data, micro)
        sums.add(measured.metrics_KB, micro.weight)
    return sums.means(run.accelerator, prefix="eval_")


def stop_if_unsound(run: Run, suspects: Suspects, data: Dataset, norm: Tensor) -> None:
    """Raise `PairwrightError`, naming rows, if a loss or the gradient of an update is not finite.

    The one host sync of an update: weights must never take such a step, on any process.
    """
    accelerator = run.accelerator
    faults = suspects.bad.sum() + (~torch.isfinite(norm)).sum()
    if not accelerator.reduce(faults, reduction="sum").item():
        return
    bad = suspects.bad.tolist()
    named = [i for i, is_bad in zip(suspects.indices, bad, strict=True) if is_bad]
    rows = sorted({data.items[index].row_id for index in named or suspects.indices})
    rows = sorted(set(gather_object(rows))) if accelerator.num_processes > 1 else rows
    what = "loss" if any(bad) else "gradient"
    raise PairwrightError(
        f"the {what} is not finite; the update was not made. Rows: {', '.join(rows[:20])}"
        f"{' …' if len(rows) > 20 else ''}. Look at them, or lower the learning_rate"
    )


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _NO_MEMORY)


def _take_less(run: Run, data: Dataset, indices: Sequence[int]) -> None:
    """Halve the forward passes until they are others. Raises `PairwrightError` where that is no help."""
    longest = max((data.items[index] for index in indices), key=lambda item: item.tokens)
    advice = "train adapters (--lora_r 16), with --gradient_checkpointing, or with a lower max_length"
    if run.accelerator.num_processes > 1:
        # The others are waiting for this one's gradient; only a fresh start brings all together.
        raise PairwrightError(
            f"memory ran out; launch again with --micro_batch_tokens {run.micro_batch_tokens // 2}, "
            f"or {advice}"
        )
    too_large = run.deal(indices, data)
    while run.deal(indices, data) == too_large:
        if run.micro_batch_tokens == 1:
            raise PairwrightError(
                f"memory ran out on row {longest.row_id} alone ({longest.tokens} tokens): {advice}"
            )
        run.micro_batch_tokens //= 2
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    log.warning("memory ran out: forward passes now have %d tokens at most", run.micro_batch_tokens)
