"""A model's outputs for a micro-batch's answers, in as many forward passes as they need.

    A  answers asked for    B  items

A loss needs several answers at once. If they do not fit into one pass, all are first run without gradients;
what the loss wants of each is then known, and each pass is made again, for its gradient alone. Every pass
keeps to the budget, and the gradient is that of a single pass.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from train.forward.answers import Answer
from train.trainer.batches import MicroBatch, Part

if TYPE_CHECKING:
    from train.trainer.task import Dataset, Measured, Task

Values = Callable[[Sequence[Answer]], Tensor]
"""What a model says of answers: (A,) or (A, columns), with gradients, in one pass."""


def values_of(values: Values, asked: Sequence[Answer], micro: MicroBatch) -> Tensor:
    """Run the model on a micro-batch's answers (A,), without gradients if the pass is divided."""
    if not micro.parts:
        return values(asked)
    with torch.no_grad():
        places = [place for part in micro.parts for place in _places(asked, part)]
        found = torch.cat([values([asked[place] for place in _places(asked, p)]) for p in micro.parts])
        # Idle work asks of one answer alone, and of it again and again: nobody reads what it says.
        order = torch.tensor(places, device=found.device)
        return found.new_zeros(len(asked), *found.shape[1:]).index_put((order,), found)


def measured_of(task: "Task", policy: nn.Module, data: "Dataset", micro: MicroBatch) -> "Measured":
    """Return losses and metrics of a micro-batch; with gradients, unless it is divided."""
    if not micro.parts:
        return task.measure(policy, data, micro.indices)
    asked = task.answers([data.items[index] for index in micro.indices])
    values_A = values_of(lambda some: task.values(policy, some), asked, micro)
    return task.measured(values_A, data, micro.indices)


def by_answer(micros: Iterable[MicroBatch], items: Sequence[Any]) -> Iterator[tuple[list[int], float]]:
    """Yield each pass's places among all chosen, then rejected answers, with its weight."""
    for micro in micros:
        places = [*micro.indices, *(len(items) + index for index in micro.indices)]
        if not micro.parts:
            yield places, micro.weight
        ids = [ids for index in micro.indices for ids in items[index].sides.values()]
        chosen_first = [answer.tobytes() for answer in (*ids[::2], *ids[1::2])]
        for part in micro.parts:
            yield (
                [p for p, answer in zip(places, chosen_first, strict=True) if answer in part],
                micro.weight,
            )


class Divided:
    """A micro-batch whose answers were run without gradients, and the passes still due for its gradient."""

    def __init__(self, task: "Task", policy: nn.Module, data: "Dataset", micro: MicroBatch, scale: float):
        """`scale` is what its losses are multiplied with."""
        self._task, self._policy, self.micro = task, policy, micro
        self._asked = task.answers([data.items[index] for index in micro.indices])
        values_A = values_of(lambda some: task.values(policy, some), self._asked, micro).requires_grad_()
        measured = task.measured(values_A, data, micro.indices)
        (self._wanted_A,) = torch.autograd.grad(measured.losses_B.sum() * scale, values_A)
        self.measured = measured._replace(losses_B=measured.losses_B.detach())

    def passes(self) -> Iterator[Tensor]:
        """Yield for each pass a number whose gradient is the pass's share of the micro-batch's."""
        for part in self.micro.parts:
            places = _places(self._asked, part)
            values_A = self._task.values(self._policy, [self._asked[place] for place in places])
            yield (values_A * self._wanted_A[places]).sum()


def _places(asked: Sequence[Any], part: Part) -> list[int]:
    """Where the answers of a part are asked for."""
    return [place for place, answer in enumerate(asked) if answer.answer_ids.tobytes() in part]
