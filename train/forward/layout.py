"""Answers laid out for a model: as trees where that is exact, else as padded sequences.

A  answers
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

from train.forward.answers import Answer, Layout, collate, distinct, moved
from train.forward.support import TreeSupport, tree_support
from train.forward.trees import plant, trees_of


class LaidOut(NamedTuple):
    """Answers laid out for a model."""

    laid: Layout
    order_A: Tensor | None
    """The place of each asked answer among those laid out; None where it is its own."""

    def in_order(self, values_A: Tensor) -> Tensor:
        """Return values of laid answers in the order in which the answers were given."""
        return values_A if self.order_A is None else values_A[self.order_A]


def lay_out(model: nn.Module, answers: Sequence[Answer]) -> LaidOut:
    """Lay answers out for one pass as this model runs them fastest, on its device, duplicates once."""
    device = next(model.parameters()).device
    support = tree_support(model)
    if support.trees:
        trees, order = trees_of(answers)
        if max(tree.longest for tree in trees) <= support.reach:
            return LaidOut(moved(plant(trees), device), torch.tensor(order).to(device))
    different, places = distinct(answers)
    order_A = None if len(different) == len(answers) else torch.tensor(places).to(device)
    return LaidOut(moved(collate(different), device), order_A)


def kind_of(support: TreeSupport, tokens: int) -> tuple[bool, Hashable]:
    """Return whether a sequence of that length goes into a tree, and its regime; only like ones mix."""
    return support.trees and tokens <= support.reach, support.regime(tokens)


def passes_of(model: nn.Module, answers: Sequence[Answer]) -> list[list[int]]:
    """Return the places of answers that may share a pass, which is mostly all of them."""
    support = tree_support(model)
    kinds: dict[Hashable, list[int]] = {}
    for place, answer in enumerate(answers):
        kinds.setdefault(kind_of(support, sum(map(len, answer))), []).append(place)
    return list(kinds.values())


def joined(parts: Sequence[Tensor], places: Sequence[Sequence[int]]) -> Tensor:
    """Join the values of several passes, each at its place."""
    if len(parts) == 1:
        return parts[0]
    order = torch.tensor([place for some in places for place in some], device=parts[0].device)
    values = torch.cat(list(parts))
    return torch.empty_like(values).index_put((order,), values)


@contextmanager
def only(base: nn.Module, laid: Layout) -> Iterator[None]:
    """Open a block in which `base` outputs only the hidden states that predict answers, (1, N, width)."""

    def cut(module: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(output, ModelOutput) and "last_hidden_state" in output:
            hidden = output["last_hidden_state"]
            output["last_hidden_state"] = hidden[laid.rows_N, laid.columns_N][None]
        return output

    handle = base.register_forward_hook(cut)
    try:
        yield
    finally:
        handle.remove()
