"""What a run stands on: devices and processes, and the description of what it will do."""

import atexit
import gc
import os
import platform
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import (
    DistributedType,
    FullyShardedDataParallelPlugin,
    GradientAccumulationPlugin,
    broadcast_object_list,
    patch_environment,
    str_to_bool,
)
from torch.distributed.fsdp import CPUOffloadPolicy

from pairwright.errors import PairwrightError, UsageError
from pairwright.records import content_hash
from pairwright.versions import versions
from train.config import TrainConfig, TrainingConfig
from train.data.pairs import Pairs, pairs_hash
from train.devices import divided
from train.models.four_bits import require_four_bits
from train.models.language import model_identity
from train.output.folder import TRACKERS, TrainRecord
from train.trainer.schedule import Schedule

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_REPLICATED = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
_PEER_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL")
_Result = TypeVar("_Result")


@contextmanager
def accelerator_for(config: TrainingConfig) -> Iterator[Accelerator]:
    """`accelerate` under these settings; several runs in one process may differ in them."""
    by_deepspeed = divided.asked() is not None  # or refused, before anything is made
    AcceleratorState._reset_state(reset_partial_state=True)
    # DeepSpeed is driven in train/devices/divided.py; what `accelerate` is left with is plain data parallelism.
    with patch_environment(**{divided.ASKED: "false"}):
        accelerator = Accelerator(
            cpu=config.use_cpu,
            mixed_precision="bf16" if uses_bf16(config) else "no",
            log_with=list(config.report_to) or None,
            project_dir=str(Path(config.output_dir) / TRACKERS),
            # Else the launcher's environment could divide our losses, which are whole already.
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        )
    if (
        by_deepspeed
    ):  # read at its first import; else it takes a GPU beside --use_cpu
        os.environ.setdefault("DS_ACCELERATOR", accelerator.device.type)
    if accelerator.num_processes > 1:
        atexit.unregister(_leave)
        atexit.register(_leave)
    _shard_on_cpu_too(accelerator)
    _refuse_unsupported(accelerator, divided=by_deepspeed)
    if config.load_in_4bit:
        require_four_bits(sharded=accelerator.is_fsdp2, divided=by_deepspeed)
    try:
        yield accelerator
    except RuntimeError as error:
        if accelerator.num_processes > 1 and any(words in str(error) for words in _PEER_LOST):
            raise PairwrightError(
                "another process of this run is gone, so this one stops too; what it said is above, and "
                "the same command goes on from the last checkpoint"
            ) from error
        raise
    finally:
        for tracker in accelerator.trackers:
            tracker.finish()
        AcceleratorState._reset_state(reset_partial_state=True)


def _leave() -> None:
    """Part from the other processes in good order; their threads would end this one in an error."""
    gc.collect()  # sharded models are in cycles, and hold on to what is taken down here
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _shard_on_cpu_too(accelerator: Accelerator) -> None:
    """`accelerate` heeds a configuration of FSDP on accelerators alone; torch shards on CPUs as well."""
    asked = bool(str_to_bool(os.environ.get("ACCELERATE_USE_FSDP", "false")))
    if asked and accelerator.distributed_type == DistributedType.MULTI_CPU:
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin()
        accelerator.state.distributed_type = DistributedType.FSDP


def _refuse_unsupported(accelerator: Accelerator, *, divided: bool = False) -> None:
    """Raise `UsageError` for a launch that would train something else than one process does."""
    launched = int(os.environ.get("WORLD_SIZE", 1))
    if divided and launched != accelerator.num_processes:
        raise UsageError(f"no GPU was found for {launched} processes: give --use_cpu to train on CPUs")
    if accelerator.is_fsdp2:
        plugin = accelerator.state.fsdp_plugin
        if plugin.cpu_ram_efficient_loading:
            raise UsageError("fsdp_cpu_ram_efficient_loading must be false: each process reads the weights")
        if plugin.activation_checkpointing:
            raise UsageError("fsdp_activation_checkpointing must be false: give --gradient_checkpointing")
        if isinstance(plugin.cpu_offload, CPUOffloadPolicy):
            raise UsageError("fsdp_offload_params must be false: updates are made where the weights are")
    elif accelerator.distributed_type not in _REPLICATED:
        raise UsageError(
            f"training over {accelerator.distributed_type.value} is not supported: launch with plain data "
            "parallelism or with fsdp_version 2, or train adapters (--lora_r 16) to need less memory"
        )


def uses_bf16(config: TrainingConfig) -> bool:
    """Whether forward passes compute in bfloat16: as asked, else where the hardware multiplies it."""
    if config.bf16 is not None:
        return config.bf16
    if torch.cuda.is_available() and not config.use_cpu:
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def require_enough(accelerator: Accelerator, schedule: Schedule) -> None:
    """Raise `UsageError` where some processes could never have a pair of their own."""
    pairs = min(schedule.pairs_per_update, schedule.num_pairs)
    if accelerator.num_processes > pairs:
        raise UsageError(
            f"{accelerator.num_processes} processes share the pairs of an update, which are {pairs}: "
            f"launch {pairs} at most (--num_processes), or give more data or a higher --pairs_per_update"
        )


def describe(
    config: TrainingConfig, tokenizer: "PreTrainedTokenizerBase", pairs: Pairs[Any], schedule: Schedule
) -> TrainRecord:
    """The record of a run that has not begun."""
    identity = config.of_kind("semantic") | {
        "bf16": uses_bf16(config),
        "model": model_identity(config.model),
        "tokenizer": content_hash([tokenizer.get_vocab(), str(tokenizer.chat_template)]),
        "data": pairs_hash(pairs.training),
        "eval_data": pairs_hash(pairs.held_out),
    }
    if isinstance(config, TrainConfig) and config.ref_model is not None:
        identity["ref_model"] = model_identity(config.ref_model)
    counts = {
        "pairs": len(pairs.training),
        "held_out_pairs": len(pairs.held_out),
        "dropped_pairs": sum(map(len, pairs.dropped.values())),
        "tokens_per_epoch": sum(pair.tokens for pair in pairs.training),
        "updates": schedule.num_updates,
    }
    return TrainRecord(
        identity=identity,
        config=config.model_dump(mode="json"),
        versions=versions(),
        counts=counts,
        dropped=dict(pairs.dropped),
    )


def on_first(accelerator: Accelerator, work: Callable[[], _Result]) -> _Result:
    """Let one process do it and tell all of them the result, or the error that they all raise."""
    outcome: list[Any] = [None]
    if accelerator.is_main_process:
        try:
            outcome = [work()]
        except PairwrightError as error:
            outcome = [error]
    if accelerator.num_processes > 1:
        broadcast_object_list(outcome)
    if isinstance(outcome[0], PairwrightError):
        raise outcome[0]
    result: _Result = outcome[0]
    return result


def agreed(accelerator: Accelerator, flag: bool) -> bool:
    """Whether any process says so."""
    if accelerator.num_processes == 1:
        return flag
    votes = torch.tensor(int(flag), device=accelerator.device)
    return bool(accelerator.reduce(votes, reduction="sum").item())


def peak_memory_gib() -> float:
    """Most memory this process has held: of the GPU where there is one, else resident."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**30
    unit = 1 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
