"""The `Accelerator` of a run: its devices and processes, and what launches are refused."""

import atexit
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import (
    DistributedType,
    FullyShardedDataParallelPlugin,
    GradientAccumulationPlugin,
    patch_environment,
    str_to_bool,
)
from torch.distributed.fsdp import CPUOffloadPolicy

from pairwright.errors import PairwrightError, UsageError
from pairwright.models.products import fast_products
from train.config import TrainingConfig
from train.devices import divided

_REPLICATED = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
_PEER_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL")


@contextmanager
def accelerator_for(config: TrainingConfig, *, trackers: Path | None = None) -> Iterator[Accelerator]:
    """Return an `Accelerator` under these settings; several runs in one process may differ in them.

    Within the block float32 products take the faster library.
    """
    by_deepspeed = divided.asked() is not None  # or refused, before anything is made
    if by_deepspeed:
        divided.load(cpu=config.use_cpu or str_to_bool(os.environ.get("ACCELERATE_USE_CPU", "false")) == 1)
    AcceleratorState._reset_state(reset_partial_state=True)
    # DeepSpeed is driven in train/devices/divided.py; `accelerate` does plain data parallelism.
    with patch_environment(**{divided.ASKED: "false"}):
        accelerator = Accelerator(
            cpu=config.use_cpu,
            mixed_precision="bf16" if uses_bf16(config) else "no",
            log_with=list(config.report_to) or None,
            project_dir=str(trackers) if trackers is not None else None,
            # Else the launcher's environment could divide our losses, which are whole already.
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        )
    if accelerator.num_processes > 1:
        atexit.unregister(_leave)
        atexit.register(_leave)
    _shard_on_cpu_too(accelerator)
    refuse_unsupported(accelerator, divided=by_deepspeed)
    try:
        with fast_products():
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
        divided.release()
        AcceleratorState._reset_state(reset_partial_state=True)


def _leave() -> None:
    """Part from the other processes in good order; their threads would end this one in an error."""
    gc.collect()  # models are in cycles, and hold on to what is taken down here
    divided.leave()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _shard_on_cpu_too(accelerator: Accelerator) -> None:
    """`accelerate` heeds a configuration of FSDP on accelerators alone; torch shards on CPUs as well."""
    asked = bool(str_to_bool(os.environ.get("ACCELERATE_USE_FSDP", "false")))
    if asked and accelerator.distributed_type == DistributedType.MULTI_CPU:
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin()
        accelerator.state.distributed_type = DistributedType.FSDP


def refuse_unsupported(accelerator: Accelerator, *, divided: bool = False) -> None:
    """Raise `UsageError` for a launch whose training would differ from that of one process."""
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
    """Return whether forward passes compute in bfloat16: as set, else if the hardware multiplies it."""
    if config.bf16 is not None:
        return config.bf16
    if torch.cuda.is_available() and not config.use_cpu:
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
