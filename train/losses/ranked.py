"""The loss of ranked answers: all answers to a prompt in the order of their scores.

per_token_A    log-probability per token of each answer, (A,): nats
"""

from typing import NamedTuple

from torch import Tensor


class Orders(NamedTuple):
    """Every two answers to one prompt with different scores."""

    better_O: Tensor
    worse_O: Tensor
    item_O: Tensor


def rrhf(per_token_A: Tensor, orders: Orders, items: int) -> Tensor:
    """Sum of max(0, p_worse - p_better) over the ordered pairs of each prompt, (B,)."""
    hinges_O = (per_token_A[orders.worse_O] - per_token_A[orders.better_O]).relu()
    return hinges_O.new_zeros(items).index_add(0, orders.item_O, hinges_O)
