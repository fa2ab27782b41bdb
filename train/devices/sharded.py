"""Weights of which every process holds a part (FSDP2): cut for training, made whole to be saved.

Checkpoints and models are written whole, so they are the same files however many processes made
them, and any number of processes can go on from them.
"""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import fsdp2_prepare_model
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy
from torch.distributed.tensor import DTensor, distribute_tensor

from train.devices.replicated import Replicated


class Sharded(Replicated):
    """Each process holds a part of every weight, of its gradient and of its moments."""

    def __init__(self, accelerator: Accelerator, model: nn.Module) -> None:
        self.accelerator = accelerator
        self.outline = outline(model)
        self.policy = shard(accelerator, model)

    def adding(self, *, last: bool) -> AbstractContextManager[Any]:
        """Sum parts after every pass: there is no room for whole gradients."""
        return nullcontext()

    def clip(self, weights: list[nn.Parameter], most: float) -> Tensor:
        """Scale the gradient down to a norm of `most`, if that is not 0; returns the norm before."""
        return whole(super().clip(weights, most))


def shard(accelerator: Accelerator, model: nn.Module) -> nn.Module:
    """Leave each process its part of every weight, in place. The optimizer is made afterwards."""
    if accelerator.mixed_precision == "bf16":
        # The plugin's own choice would round gradients, and log-probabilities, to bfloat16 as well.
        accelerator.state.fsdp_plugin.mixed_precision_policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32
        )
    sharded: nn.Module = fsdp2_prepare_model(accelerator, model)
    return sharded


def reshard(model: nn.Module) -> None:
    """Free the whole weights that a pass without a backward pass leaves behind.

    Until then the model's parameters are whole tensors, not those that are trained and saved.
    """
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def outline(model: nn.Module) -> nn.Module:
    """Return a copy of a model without its weights, from which a whole model is made after sharding."""
    outlined: nn.Module = _with_parameters(model, lambda p: torch.empty_like(p, device="meta"))
    return outlined


def blank(outlined: nn.Module) -> nn.Module:
    """Return a whole model on the CPU whose weights are yet to be loaded."""
    empty: nn.Module = _with_parameters(outlined, lambda p: torch.zeros_like(p, device="cpu"))
    return empty


def assembled(outlined: nn.Module, model: nn.Module, *, keep: bool) -> nn.Module | None:
    """Return the whole model, on the CPU, on processes that `keep` it; all processes take part."""
    reshard(model)
    parts = list(model.parameters())
    pieces = [_kept(whole(part.detach()), keep) for part in parts]
    if not keep:
        return None
    of = {id(p): piece for p, piece in zip(outlined.parameters(), pieces, strict=True)}
    made: nn.Module = _with_parameters(outlined, lambda p: of[id(p)])
    return made


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor from its parts, on its device; all processes take part."""
    if not isinstance(tensor, DTensor):
        return tensor
    full: Tensor = tensor.full_tensor()
    return full


def whole_on_first(tensor: Tensor, *, keep: bool) -> Tensor:
    """Return the whole tensor, on the CPU, where it is kept; an empty one elsewhere."""
    return _kept(whole(tensor), keep) if isinstance(tensor, DTensor) else tensor


def cut_like(tensor: Tensor, model: Tensor) -> Tensor:
    """Return this process's part of a whole tensor that every process has, cut as `model` is."""
    if not isinstance(model, DTensor):
        return tensor
    device = model.device
    return distribute_tensor(tensor.to(device), model.device_mesh, model.placements, src_data_rank=None)


def _kept(tensor: Tensor, keep: bool) -> Tensor:
    return tensor.cpu() if keep else tensor.new_empty(0)


def _with_parameters(model: nn.Module, change: Callable[[nn.Parameter], Tensor]) -> Any:
    """A copy of a model with other parameters; what was shared stays shared."""
    changed: dict[int, Any] = {
        id(p): nn.Parameter(change(p), requires_grad=p.requires_grad) for p in model.parameters()
    }
    return copy.deepcopy(model, changed)
