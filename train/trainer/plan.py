"""What a run will do: described before it starts."""

from typing import TYPE_CHECKING, Any

from accelerate import Accelerator

from pairwright.errors import UsageError
from pairwright.records import content_hash
from pairwright.versions import versions
from train.config import TrainingConfig
from train.data.split import Split, pairs_hash
from train.devices import divided
from train.devices.accelerator import uses_bf16
from train.models.four_bits import require_four_bits
from train.models.language import model_identity
from train.output.record import RunRecord
from train.trainer.schedule import Schedule
from train.trainer.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def require_enough(accelerator: Accelerator, schedule: Schedule) -> None:
    """Raise `UsageError` where some processes could never have a pair of their own."""
    pairs = min(schedule.pairs_per_update, schedule.num_pairs)
    if accelerator.num_processes > pairs:
        raise UsageError(
            f"{accelerator.num_processes} processes share the pairs of an update, which are {pairs}: "
            f"launch {pairs} at most (--num_processes), or give more data or a higher --pairs_per_update"
        )


def require_what_trains(accelerator: Accelerator, config: TrainingConfig) -> None:
    """Raise `UsageError` where four bits are asked for and this launch, or this machine, has none."""
    if config.load_in_4bit:
        require_four_bits(sharded=accelerator.is_fsdp2, divided=divided.asked() is not None)


def describe(
    config: TrainingConfig,
    task: Task,
    tokenizer: "PreTrainedTokenizerBase",
    pairs: Split[Any],
    schedule: Schedule,
) -> RunRecord:
    """The record of a run that has not begun."""
    identity = config.of_kind("semantic") | {
        "bf16": uses_bf16(config),
        "model": model_identity(config.model),
        "tokenizer": content_hash([tokenizer.get_vocab(), str(tokenizer.chat_template)]),
        "data": pairs_hash(pairs.training),
        "eval_data": pairs_hash(pairs.held_out),
        **task.identity(),
    }
    counts = {
        "pairs": len(pairs.training),
        "held_out_pairs": len(pairs.held_out),
        "dropped_pairs": sum(map(len, pairs.dropped.values())),
        "tokens_per_epoch": sum(pair.tokens for pair in pairs.training),
        "updates": schedule.num_updates,
    }
    return RunRecord(
        identity=identity,
        config=config.model_dump(mode="json"),
        versions=versions(),
        counts=counts,
        dropped=dict(pairs.dropped),
    )
