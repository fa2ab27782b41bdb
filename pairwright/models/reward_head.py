"""Rewards read at the last token of an answer: the one place where a reward model's head is read.

A  answers in a batch    W  width of a hidden state
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@contextmanager
def reading(head: nn.Linear, rows_A: Tensor, columns_A: Tensor) -> Iterator[Callable[[], Tensor]]:
    """Open a block that records the head's values at the given tokens: the rewards (A,), float32.

    The last token of each answer is given, not searched for: `transformers` searches for a padding id, and
    reads one token too early where that id also ends a turn. The model's own forward runs, through whatever
    wraps it, so that processes share gradients; the head is applied in float32 whatever the body computes
    in.
    """
    heard: list[Tensor] = []

    def listen(module: nn.Module, args: Any, output: Any) -> None:
        hidden_AW = args[0][rows_A, columns_A]
        with torch.autocast(hidden_AW.device.type, enabled=False):
            bias = None if head.bias is None else head.bias.float()
            heard.append(F.linear(hidden_AW.float(), head.weight.float(), bias).squeeze(-1))

    handle = head.register_forward_hook(listen)
    try:
        yield lambda: heard[-1]
    finally:
        handle.remove()
