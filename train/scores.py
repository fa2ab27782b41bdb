"""Rewards of answers given their prompts: the one place where a reward model is run on tokens.

A  answers in a batch    W  width of a hidden state
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.answers import Answer, Laid
from train.forward import lay_out
from train.reward_model import head_of


def answer_scores(model: nn.Module, answers: Sequence[Answer]) -> Tensor:
    """The reward of each answer (A,), float32, in the order given, with gradients.

    It is read at the answer's last token, the one that ends the turn, wherever that was laid; no
    token id is compared with a padding id. The head is applied in float32 whatever the body computes
    in. Answers to one prompt share its computation where the model allows that.
    """
    out = lay_out(model, answers)
    with _reading(head_of(model), out.laid) as read:
        model(**out.laid.inputs, use_cache=False)
    return out.in_order(read())


@contextmanager
def _reading(head: nn.Linear, laid: Laid) -> Iterator[Callable[[], Tensor]]:
    """Within it, `head` is listened to; what it is given at the last tokens becomes the rewards.

    The model's own forward runs, through whatever wraps it, so that processes share gradients.
    """
    heard: list[Tensor] = []

    def listen(module: nn.Module, args: Any, output: Any) -> None:
        hidden_AW = args[0][laid.rows_A, laid.columns_A]
        with torch.autocast(hidden_AW.device.type, enabled=False):
            bias = None if head.bias is None else head.bias.float()
            heard.append(F.linear(hidden_AW.float(), head.weight.float(), bias).squeeze(-1))

    handle = head.register_forward_hook(listen)
    try:
        yield lambda: heard[-1]
    finally:
        handle.remove()
