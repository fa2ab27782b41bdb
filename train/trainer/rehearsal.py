"""Preview and dry run: what training would see and cost. Writes nothing."""

import time
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from torch import nn

from train.data.split import Item, Split, TokenIds, describe_dropped
from train.devices.accelerator import uses_bf16
from train.devices.memory import peak_memory_gib
from train.devices.processes import say
from train.forward.support import tree_support
from train.output.record import TrainResult, result_of
from train.trainer.batches import deal
from train.trainer.passes import values_of
from train.trainer.plan import Plan
from train.trainer.schedule import Schedule
from train.trainer.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHOWN = 3
_PASSES = 3
"""Work of a forward and backward pass, in forward passes."""
_TIMED = 4
"""Items of middling length, on either side of the middle, that are timed."""


def preview(plan: Plan) -> TrainResult:
    """Print the first pairs as the model sees them, the trained part of each between ⟦ and ⟧."""
    pairs = plan.split
    for number, pair in enumerate(pairs.training[:SHOWN], start=1):
        print(f"── pair {number} of {len(pairs.training)}: {pair.row_id}")
        print(shown(plan.tokenizer, pair))
    print(f"── left out: {describe_dropped(pairs.dropped)}")
    return result_of(plan.config, plan.record, "preview")


def shown(tokenizer: "PreTrainedTokenizerBase", pair: Item) -> str:
    """Return a pair as text, decoded from its token ids, control tokens and all."""

    def text(ids: TokenIds) -> str:
        decoded = tokenizer.decode(ids.tolist(), skip_special_tokens=False)
        return str(decoded)

    answers = (f"  {name:8} ({len(ids)} tokens) ⟦{text(ids)}⟧" for name, ids in pair.sides.items())
    return "\n".join((text(pair.prompt_tokens), *answers))


def dry_run(plan: Plan, accelerator: Accelerator) -> TrainResult:
    """Count pairs, tokens and updates, and estimate the time from a few timed forward passes."""
    config, task, pairs, schedule = plan.config, plan.task, plan.split, plan.schedule
    policy = accelerator.prepare_model(task.load_model(bf16=uses_bf16(config)))
    speed = tokens_per_second(task, policy, pairs.training, budget=config.micro_batch_tokens)
    seconds = estimated_tokens(pairs, schedule) / speed / accelerator.num_processes
    longest = max(pair.longest for pair in pairs.training)
    updates = "1 update" if schedule.num_updates == 1 else f"{schedule.num_updates} updates"
    say(
        f"{len(pairs.training)} pairs to train on (longest {longest} tokens), "
        f"{len(pairs.held_out)} held out; left out: {describe_dropped(pairs.dropped)}\n"
        f"{plan.record.counts['tokens_per_epoch']:,} tokens an epoch, {updates}; "
        f"about {seconds / 60:.1f} minutes without checkpoints and evaluations between"
    )
    record = plan.record.model_copy(update={"seconds": seconds, "peak_memory_gib": peak_memory_gib()})
    return result_of(config, record, "dry_run")


def estimated_tokens(pairs: Split[Any], schedule: Schedule) -> float:
    """Return the tokens of all forward passes; a backward pass counts as two more.

    The reference sees every pair once; held-out pairs are seen twice more, at the start and the end.
    """
    per_epoch: int = sum(pair.tokens for pair in pairs.training)
    held_out: int = sum(pair.tokens for pair in pairs.held_out)
    epochs = schedule.epoch_after(schedule.num_updates)
    return per_epoch * (1 + _PASSES * epochs) + 3 * held_out


@torch.no_grad()
def tokens_per_second(task: Task, policy: nn.Module, pairs: list[Any], *, budget: int) -> float:
    """Measure the speed of forward passes on the second of two micro-batches of middling length."""
    ordered = sorted(pairs, key=lambda pair: pair.longest)
    middle = ordered[max(0, len(ordered) // 2 - _TIMED) :][: 2 * _TIMED]
    micros = deal(range(len(middle)), middle, budget=budget, support=tree_support(policy))
    micros = (micros * 2)[:2]  # the first warms up
    seconds, tokens = 0.0, 0
    for micro in micros:
        batch = [middle[index] for index in micro.indices]
        started = time.perf_counter()
        values_of(lambda some: task.values(policy, some), task.answers(batch), micro).sum().item()
        seconds, tokens = time.perf_counter() - started, sum(pair.tokens for pair in batch)
    return tokens / seconds
