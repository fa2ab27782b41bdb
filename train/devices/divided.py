"""ZeRO, stages 1 and 2: AdamW's moments, and in stage 2 gradients, divided among processes by DeepSpeed.

Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054. The engine is driven in the steps of our loop
and not in one go, so that a gradient can be looked at before it is used. Weights are whole on every
process; moments are made whole for a checkpoint, and divided anew by however many go on from it.
"""

import logging
import os
import sys
import warnings
from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DeepSpeedPlugin, compare_versions, str_to_bool
from torch import Tensor, nn

from pairwright.errors import PairwrightError, UsageError
from train.devices.replicated import Replicated

log = logging.getLogger(__name__)

ASKED = "ACCELERATE_USE_DEEPSPEED"
_OLDEST = "0.19.8"
"""Older ones may take a gradient that is not finite for one of norm 1."""
_MOMENTS = ("exp_avg", "exp_avg_sq")
_PASSED_ON = ("stage", "allgather_bucket_size", "reduce_bucket_size")
_BUCKET = 50_000_000
"""Gradients sent at once, at most: 0.2 GB, set aside. DeepSpeed itself would take ten times as much."""
_UNUSED = ("steps_per_print", "wall_clock_breakdown")
"""What DeepSpeed would print, which it does not."""
_HERE = {
    "bf16": "weights stay in float32, and --bf16 computes in bfloat16",
    "fp16": "weights stay in float32, and --bf16 computes in bfloat16",
    "gradient_accumulation_steps": "it follows from --pairs_per_update and --micro_batch_tokens",
    "gradient_clipping": "it is --max_grad_norm",
    "optimizer": "it is AdamW with --learning_rate and --weight_decay",
    "scheduler": "it is --lr_scheduler_type with --warmup_ratio",
    "train_batch_size": "it is --pairs_per_update",
    "train_micro_batch_size_per_gpu": "it is --micro_batch_tokens",
}
"""What is said here in other words."""


def asked() -> dict[str, Any] | None:
    """Return the launch's ZeRO section of DeepSpeed's configuration; None without `--use_deepspeed`.

    Raises `UsageError` for parts of DeepSpeed that would change the training, or that are not supported.
    """
    if not str_to_bool(os.environ.get(ASKED, "false")):
        return None
    try:
        wanted = dict(DeepSpeedPlugin().deepspeed_config)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"DeepSpeed's configuration cannot be read: {said}") from None
    section = dict(wanted.pop("zero_optimization"))
    stage = section.get("stage", 0)
    if stage == 3:
        raise UsageError("ZeRO-3 is not supported; FSDP2 shards the same (examples/accelerate/fsdp2.yaml)")
    if stage not in (1, 2):
        raise UsageError(f"zero_stage must be 1 or 2, not {stage}: 0 divides nothing")
    taken = {key: section.pop(key) for key in _PASSED_ON if section.get(key, "auto") != "auto"}
    for key, value in section.items():
        if not key.startswith("stage3_") and _says(value):
            raise UsageError(f"zero_optimization.{key} of DeepSpeed is not supported: leave it out")
    for key, value in wanted.items():
        if key not in _UNUSED and _says(value) and (key, value) != ("gradient_accumulation_steps", 1):
            why = f"not taken from there: {_HERE[key]}" if key in _HERE else "not supported"
            raise UsageError(f"{key} of DeepSpeed is {why}; leave it out")
    if not _is_there():
        raise UsageError(
            f"--use_deepspeed needs DeepSpeed {_OLDEST} or newer: pip install 'pairwright[deepspeed]'"
        )
    return taken


def load(*, cpu: bool) -> None:
    """Import DeepSpeed, for a CPU even where there is a GPU.

    Done before the processes join: its functions keep the group of processes that they find at import.
    """
    if cpu:  # read at its first import
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed  # noqa: F401


def release() -> None:
    """Let go of the engines, while the processes are still together.

    Their hooks on weights would keep the model, its moments and the group of processes as long as Python
    runs, and the threads of a group that outlives it can end a process in an error.
    """
    while _made:
        _made.pop().close()


def leave() -> None:
    """Drop what DeepSpeed itself keeps of the processes' group."""
    if (comm := sys.modules.get("deepspeed.comm")) is not None and comm.is_initialized():
        comm.destroy_process_group()


def _is_there() -> bool:
    return find_spec("deepspeed") is not None and bool(compare_versions("deepspeed", ">=", _OLDEST))


def _says(value: Any) -> bool:
    """Whether a setting asks for anything."""
    if isinstance(value, dict):
        return _says(value["enabled"]) if "enabled" in value else any(map(_says, value.values()))
    return value not in (None, False, "auto", "none")


_made: list["DividedAdamW"] = []
"""What `release` lets go of."""


class Divided(Replicated):
    """Every process has the whole model, and makes its part of every update."""

    def __init__(self, accelerator: Accelerator, model: nn.Module, section: dict[str, Any]) -> None:
        self.accelerator = accelerator
        self._section = section
        self._optimizer: torch.optim.Optimizer | None = None
        # DeepSpeed averages gradients, so the model is not wrapped for that.
        self.policy = accelerator.prepare_model(model, evaluation_mode=True)

    def optimize(self, optimizer: torch.optim.Optimizer, most: float) -> torch.optim.Optimizer:
        """Divide the optimizer; the policy is DeepSpeed's engine afterwards, but for one process alone."""
        self.policy, self._optimizer = divide(self.accelerator, self.policy, optimizer, self._section, most)
        return self._optimizer

    def adding(self, *, last: bool) -> AbstractContextManager[Any]:
        """Tell DeepSpeed which pass is the last of an update."""
        if not isinstance(self._optimizer, DividedAdamW):
            return super().adding(last=last)
        self.policy.set_gradient_accumulation_boundary(last)  # type: ignore[operator]
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss, and send what is ready."""
        if isinstance(self._optimizer, DividedAdamW):
            self.policy.backward(loss)  # type: ignore[operator]
        else:
            super().backward(loss)

    def clip(self, weights: list[nn.Parameter], most: float) -> Tensor:
        """Return the norm of the gradient, which is clipped where the step is made."""
        if isinstance(self._optimizer, DividedAdamW):
            return self._optimizer.norm()
        return super().clip(weights, most)


def divide(
    accelerator: Accelerator,
    policy: nn.Module,
    optimizer: torch.optim.Optimizer,
    section: dict[str, Any],
    max_grad_norm: float,
) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Divide the moments of AdamW among processes and wrap the policy in DeepSpeed's engine."""
    if accelerator.num_processes == 1:
        log.warning("one process has nothing to divide: training runs without DeepSpeed")
        return policy, optimizer
    groups = [group for group in optimizer.param_groups if group["params"]]  # nothing cannot be flattened
    of_model = [dict(group) for group in groups]  # DeepSpeed puts flat parameters into the others
    optimizer.param_groups[:] = groups
    numel = sum(p.numel() for group in groups for p in group["params"])
    config = {
        "train_micro_batch_size_per_gpu": 1,  # said because it must be; batches are made here
        "gradient_clipping": max_grad_norm,
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {"reduce_bucket_size": min(_BUCKET, numel)} | section,
    }
    engine, *_ = _deepspeed(accelerator.device).initialize(model=policy, optimizer=optimizer, config=config)
    divided = DividedAdamW(engine, of_model, keep=accelerator.is_main_process)
    _made.append(divided)
    return engine, divided


def _deepspeed(device: torch.device) -> Any:
    import deepspeed

    warnings.filterwarnings("ignore", "`torch.distributed", FutureWarning)  # of names that it will change
    if device.type == "cpu":
        from deepspeed.ops import __compatible_ops__

        # Kernels for inference, which it would compile on the spot, for a minute.
        __compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


class DividedAdamW(torch.optim.Optimizer):
    """AdamW as one process has it, of which each process does its part.

    The groups are of the model's own parameters. What is asked of `state` is made whole, for the first
    process: all must ask alike.
    """

    def __init__(self, engine: Any, groups: list[dict[str, Any]], *, keep: bool) -> None:
        super().__init__(groups, {})
        self._engine, self._zero = engine, engine.optimizer
        self._idle: dict[Tensor, str] = {
            p: name for name, p in engine.module.named_parameters() if p.requires_grad
        }
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(self._not_idle)  # type: ignore[no-untyped-call]
            for parameter in self._idle
        ]
        self._begin()
        self.state = _Whole(self._steps, keep)

    def _begin(self) -> None:
        """Moments of 0 for the weights of this process.

        AdamW would make them in its first step, after which DeepSpeed finds those of one group only.
        """
        from deepspeed.utils.mixed_precision_linkage import lazy_init_hp_params_optimizer_state as link

        zero, self._steps = self._zero, []
        for part, parameters in zip(zero.single_partition_of_fp32_groups, zero.bit16_groups, strict=True):
            step = torch.zeros((), device=part.device)
            zero.state[part] = {"step": step} | {key: torch.zeros_like(part) for key in _MOMENTS}
            link(parameters, part, zero.state)
            self._steps.append(step)

    def close(self) -> None:
        """Take the hooks off the weights, ours and DeepSpeed's."""
        for hook in self._hooks:
            hook.remove()
        self._engine.destroy()

    def _not_idle(self, parameter: Tensor) -> None:
        self._idle.pop(parameter, None)

    def norm(self) -> Tensor:
        """Return the norm of the whole gradient, which is clipped in the step; infinite if not finite.

        Raises `PairwrightError` for weights without a gradient: one process alone would not change them,
        but here they lie in one buffer with the others, and would decay.
        """
        if self._idle:
            raise PairwrightError(
                f"{len(self._idle)} weights get no gradient, the first: {next(iter(self._idle.values()))}; "
                "DeepSpeed would change them all the same: launch without it, or give --lora_r 16"
            )
        norm: Tensor = self._zero.scaled_global_norm()
        return norm

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Make the update, on every process its part, and bring the weights together."""
        for mine, theirs in zip(self.param_groups, self._zero.param_groups, strict=True):
            theirs["lr"] = mine["lr"]
        self._engine.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Do nothing: gradients are freed in the step."""

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take this process's part of whole moments, and of the weights as the model now has them."""
        from deepspeed.utils import safe_set_full_optimizer_state

        parameters = [p for group in self.param_groups for p in group["params"]]
        for number, parameter in enumerate(parameters):
            tensors = state_dict["state"][number]
            for key in _MOMENTS:
                safe_set_full_optimizer_state(parameter, tensors[key].to(parameter.device), key)
        for step in self._steps:
            step.copy_(state_dict["state"][0]["step"])
        self._zero.refresh_fp32_params()


class _Whole(defaultdict[Any, Any]):
    """AdamW's tensors by parameter, put together when they are asked for, and not kept."""

    def __init__(self, steps: list[Tensor], keep: bool) -> None:
        super().__init__(dict)
        self._steps, self._keep = steps, keep

    def __missing__(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        from deepspeed.utils import safe_get_full_optimizer_state

        moments = {key: safe_get_full_optimizer_state(parameter, key) for key in _MOMENTS}
        kept = {key: whole.cpu() if self._keep else whole.new_empty(0) for key, whole in moments.items()}
        return {"step": self._steps[0].cpu().clone()} | kept
