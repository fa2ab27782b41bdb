"""The plan of a run, made once for preview, dry run or training."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from accelerate import Accelerator

from pairwright.errors import UsageError
from pairwright.folders.versions import versions
from pairwright.models.dated import date_shown, writes_date
from pairwright.models.loading import load_tokenizer
from pairwright.records import content_hash
from train.config import TrainingConfig
from train.data.split import Split, pairs_hash
from train.devices import divided
from train.devices.accelerator import uses_bf16
from train.models.adapters import goes_on
from train.models.four_bits import require_four_bits
from train.models.language import model_identity
from train.output.carried import optimizer_identity
from train.output.record import RunRecord
from train.trainer.optimizers import require_optimizer
from train.trainer.schedule import Schedule, schedule_of
from train.trainer.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Plan(NamedTuple):
    """What a run knows before its model is loaded."""

    config: TrainingConfig
    task: Task
    tokenizer: "PreTrainedTokenizerBase"
    split: Split[Any]
    schedule: Schedule
    record: RunRecord
    """As it is written when the run begins."""


def plan(config: TrainingConfig, task: Task) -> Plan:
    """Read the items and plan the run. Raises `UsageError` for what cannot be used."""
    goes_on(config)  # or says why it cannot
    tokenizer = load_tokenizer(config.model)
    split = task.read(tokenizer)
    schedule = schedule_of(config, split.training)
    return Plan(config, task, tokenizer, split, schedule, _record(config, task, tokenizer, split, schedule))


def _record(
    config: TrainingConfig,
    task: Task,
    tokenizer: "PreTrainedTokenizerBase",
    split: Split[Any],
    schedule: Schedule,
) -> RunRecord:
    """The record of a run that has not begun."""
    identity = config.of_kind("semantic") | {
        "bf16": uses_bf16(config),
        "model": model_identity(config.model),
        "tokenizer": content_hash([tokenizer.get_vocab(), str(tokenizer.chat_template)]),
        "data": pairs_hash(split.training),
        "eval_data": pairs_hash(split.held_out),
        **({"date": str(date_shown())} if writes_date(tokenizer) else {}),
        **optimizer_identity(config),
        **task.identity(),
    }
    counts = {
        "pairs": len(split.training),
        "held_out_pairs": len(split.held_out),
        "dropped_pairs": sum(map(len, split.dropped.values())),
        "tokens_per_epoch": sum(item.tokens for item in split.training),
        "updates": schedule.num_updates,
    }
    return RunRecord(
        identity=identity,
        config=config.model_dump(mode="json"),
        begun_in=str(Path.cwd()),
        versions=versions(),
        counts=counts,
        dropped=dict(split.dropped),
    )


def require_enough(accelerator: Accelerator, schedule: Schedule) -> None:
    """Raise `UsageError` where some processes could never have a pair of their own."""
    pairs = min(schedule.pairs_per_update, schedule.num_pairs)
    if accelerator.num_processes > pairs:
        raise UsageError(
            f"{accelerator.num_processes} processes share the pairs of an update, which are {pairs}: "
            f"launch {pairs} at most (--num_processes), or give more data or a higher --pairs_per_update"
        )


def require_what_trains(accelerator: Accelerator, config: TrainingConfig) -> None:
    """Raise `UsageError` if four-bit weights or optimizers are asked for that cannot train here."""
    require_optimizer(config, sharded=accelerator.is_fsdp2)
    if config.load_in_4bit:
        require_four_bits(sharded=accelerator.is_fsdp2, divided=divided.asked() is not None)
