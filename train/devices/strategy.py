"""How the processes of a launch share a training: each has the whole model, or parts are shared out."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from train.devices import divided
from train.devices.divided import Divided
from train.devices.replicated import Replicated
from train.devices.sharded import Sharded


class Strategy(Protocol):
    """The operations of an update that depend on how processes share a training."""

    accelerator: Accelerator
    policy: nn.Module
    """The model as it is run, forward and backward."""
    outline: nn.Module | None
    """The model without its weights where each process holds a part of them, else None."""

    def optimize(self, optimizer: Optimizer, most: float) -> Optimizer:
        """Take the optimizer of the updates, whose gradients have a norm of at most `most`.

        Returns the one to use in its place. The policy may be another module afterwards.
        """
        ...

    def adding(self, *, last: bool) -> AbstractContextManager[Any]:
        """Open a block in which a backward pass adds to the gradient; the last one joins the processes'."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss."""
        ...

    def clip(self, weights: list[nn.Parameter], most: float) -> Tensor:
        """Clip the gradient's norm to `most` before the update; returns the norm that it has."""
        ...


def strategy_for(accelerator: Accelerator, model: nn.Module) -> Strategy:
    """Return the strategy that a launch asks for, with the model where it is trained."""
    if accelerator.is_fsdp2:
        return Sharded(accelerator, model)
    if (section := divided.asked()) is not None:
        return Divided(accelerator, model, section)
    return Replicated(accelerator, model)
