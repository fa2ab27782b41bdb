"""Rewards of answers given their prompts: the one place where a reward model is run on tokens.

A  answers in a batch    T  tokens of the longest sequence    W  width of a hidden state
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.logprobs import Answer, collate
from train.reward_model import head_of


def answer_scores(model: nn.Module, answers: Sequence[Answer]) -> Tensor:
    """The reward of each answer (A,), float32, in the order given, with gradients.

    It is read at the answer's last token, the one that ends the turn, which the mask tells; no token
    id is compared with a padding id. The head is applied in float32 whatever the body computes in.
    """
    batch = collate(answers, next(model.parameters()).device)
    last_A = batch.mask_AT.sum(1) - 1
    positions_T = torch.arange(batch.input_ids_AT.shape[1], device=batch.input_ids_AT.device)
    with _reading(head_of(model), last_A) as read:
        model(
            input_ids=batch.input_ids_AT,
            attention_mask=batch.mask_AT,
            position_ids=positions_T.expand_as(batch.input_ids_AT),
            use_cache=False,
        )
    return read()


@contextmanager
def _reading(head: nn.Linear, last_A: Tensor) -> Iterator[Callable[[], Tensor]]:
    """Within it, `head` is listened to; what it is given at the last tokens becomes the rewards.

    The model's own forward runs, through whatever wraps it, so that processes share gradients.
    """
    heard: list[Tensor] = []

    def listen(module: nn.Module, args: Any, output: Any) -> None:
        hidden_AW = args[0][torch.arange(len(last_A), device=last_A.device), last_A]
        with torch.autocast(hidden_AW.device.type, enabled=False):
            bias = None if head.bias is None else head.bias.float()
            heard.append(F.linear(hidden_AW.float(), head.weight.float(), bias).squeeze(-1))

    handle = head.register_forward_hook(listen)
    try:
        yield lambda: heard[-1]
    finally:
        handle.remove()
