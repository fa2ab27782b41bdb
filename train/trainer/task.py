"""The interface of a task: what one kind of training defines so that one loop can run it.

    B  items of a micro-batch    K  metrics

The loop deals items to processes and forward passes, adds up gradients, logs, saves and resumes. A task
says what an item is, what a forward pass measures of it, and what is to be known beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from accelerate import Accelerator
from torch import Tensor, nn

from train.data.split import Split
from train.devices.strategy import Strategy
from train.forward.answers import Answer
from train.forward.support import tree_support
from train.trainer.batches import MicroBatch, deal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Measured(NamedTuple):
    """The output of a forward pass: losses and metrics of items."""

    losses_B: Tensor
    """The loss of each, with gradients. Their mean over an update is what is minimised."""
    metrics_KB: Tensor
    """Every metric of every item, in the order of the task's `metrics`."""
    sound_B: Tensor
    """Whether everything behind the loss is finite; bounded losses hide infinities."""


class Dataset(Protocol):
    """Items in a fixed order, and what is known of them before training."""

    @property
    def items(self) -> Sequence[Any]:
        """The items: each has a `row_id`, its `longest` sequence and its `tokens`."""
        ...


class Task(Protocol):
    """One kind of training."""

    metrics: tuple[str, ...]
    """Names of what is measured."""

    def read(self, tokenizer: "PreTrainedTokenizerBase") -> Split[Any]:
        """Return items to train on and held out. Raises `UsageError` when none are left to train on."""
        ...

    def identity(self) -> dict[str, str]:
        """Return what decides the weights besides settings and items, by name: a reference of its own."""
        ...

    def load_model(self, *, bf16: bool) -> Any:
        """Return the model to train, on the CPU, unable to behave at random."""
        ...

    def prepare(
        self,
        accelerator: Accelerator,
        policy: nn.Module,
        items: Sequence[Any],
        used: Sequence[int] | None = None,
    ) -> Dataset:
        """Return the items with what the model says of them before the first update, if that is needed.

        With `used`, indices of items, it is asked about these alone.
        """
        ...

    def look_ahead(self, run: "Run", data: Any, indices: Sequence[int]) -> None:
        """Compute what the losses of an update share, without gradients. All processes take part."""
        ...

    def measure(self, policy: nn.Module, data: Any, indices: Sequence[int]) -> Measured:
        """Return `measured` of the values of one forward pass, with gradients. No host sync."""
        ...

    def answers(self, items: Sequence[Any]) -> list[Answer]:
        """Return the answers that items' losses need; equal ones as often as they occur."""
        ...

    def values(self, policy: nn.Module, answers: Sequence[Answer]) -> Tensor:
        """Run one forward pass; returns what the losses need of the answers (A,), with gradients."""
        ...

    def measured(self, values_A: Tensor, data: Any, indices: Sequence[int]) -> Measured:
        """Return losses and metrics of some of the items, from the values of their answers."""
        ...

    def check_start(self, run: "Run", data: Any, indices: Sequence[int]) -> None:
        """Stop, or warn, if something is wrong before anything was trained."""
        ...

    def conclude(self, run: "Run", held_out: Any, folder: Path) -> None:
        """Write what is published besides the trained model. All processes take part."""
        ...

    def publishable(self, model: Any) -> Any:
        """Return the trained model in the form that is published."""
        ...


@dataclass
class Run:
    """What the functions of a training have in common."""

    strategy: Strategy
    task: Task
    micro_batch_tokens: int
    """Most tokens of a forward pass; less once memory has run out."""

    @property
    def accelerator(self) -> Accelerator:
        """Devices and processes."""
        return self.strategy.accelerator

    @property
    def policy(self) -> nn.Module:
        """The model as it is run."""
        return self.strategy.policy

    def deal(self, indices: Sequence[int], data: Dataset) -> list[MicroBatch]:
        """Return this process's share of some pairs."""
        return deal(
            indices,
            data.items,
            budget=self.micro_batch_tokens,
            rank=self.accelerator.process_index,
            world=self.accelerator.num_processes,
            support=tree_support(self.policy),
        )
