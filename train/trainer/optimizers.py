"""The optimizers of `--optim`: AdamW as torch has it, or with its moments in eight bits."""

import importlib.util
from typing import Any

import torch

from pairwright.errors import UsageError
from train.config import UpdateConfig
from train.devices import divided
from train.output.state import parameter_groups


def optimizer_for(
    model: torch.nn.Module, config: UpdateConfig, device: torch.device
) -> torch.optim.Optimizer:
    """Return AdamW over a model's trained weights, by the settings."""
    groups = parameter_groups(model, config.weight_decay)
    if config.optim == "adamw_8bit":
        from bitsandbytes import optim

        kind: Any = optim.AdamW8bit  # type: ignore[attr-defined]
        optimizer: torch.optim.Optimizer = kind(groups, lr=config.learning_rate)
        return optimizer
    fused = device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=fused)


def require_optimizer(config: UpdateConfig, *, sharded: bool) -> None:
    """Raise `UsageError` if the optimizer is not installed, or cannot be sharded as launched."""
    if config.optim != "adamw_8bit":
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("--optim adamw_8bit needs bitsandbytes: pip install 'pairwright[qlora]'")
    if sharded or divided.asked() is not None:
        raise UsageError(
            "--optim adamw_8bit does not go with FSDP or DeepSpeed, which cut the moments themselves: "
            "launch with plain data parallelism, or leave it out"
        )
