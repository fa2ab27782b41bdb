"""Data parallelism: every process has the whole model, and gradients are averaged over processes."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer


class Replicated:
    """One process, or several with the same weights."""

    outline: nn.Module | None = None

    def __init__(self, accelerator: Accelerator, model: nn.Module) -> None:
        self.accelerator = accelerator
        self.policy: nn.Module = accelerator.prepare_model(model)

    def optimize(self, optimizer: Optimizer, most: float) -> Optimizer:
        """Leave the optimizer as it is."""
        return optimizer

    def adding(self, *, last: bool) -> AbstractContextManager[Any]:
        """Average gradients after the last pass alone."""
        return nullcontext() if last else self.accelerator.no_sync(self.policy)

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss."""
        self.accelerator.backward(loss)

    def clip(self, weights: list[nn.Parameter], most: float) -> Tensor:
        """Scale the gradient down to a norm of `most`, if that is not 0; returns the norm before."""
        return torch.nn.utils.clip_grad_norm_(weights, most or torch.inf)
