"""A model's hidden states and log-probabilities, token by token, of answers.

A  answers    N  answer tokens in all    W  width of a hidden state    L  tokens of one answer
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

from train.forward.answers import Answer, Layout
from train.forward.layout import lay_out, passes_of
from train.forward.logprobs import token_logprobs
from train.forward.model import backbone
from train.forward.vocabulary import chunked


class AnswerStates(NamedTuple):
    """A model's states and log-probabilities of one answer."""

    logps_L: Tensor
    """Log-probability of each of its tokens, its last one included: nats, float32, on the CPU."""
    state_W: Tensor
    """Sum of the last hidden states that predict its tokens, from the prompt's last token to the one
    before the answer's last: float64, on the CPU."""


@torch.no_grad()
def answer_states(model: nn.Module, answers: Sequence[Answer]) -> list[AnswerStates]:
    """Return the hidden states of every answer given its prompt, in the order given.

    Answers to one prompt share its computation where the model allows that, as in training. Hidden
    states are those that the output projection sees, after the last norm.
    """
    found: dict[int, AnswerStates] = {}
    for places in passes_of(model, answers):
        some = _states(model, [answers[place] for place in places])
        found |= dict(zip(places, some, strict=True))
    return [found[place] for place in range(len(answers))]


def _states(model: nn.Module, answers: Sequence[Answer]) -> list[AnswerStates]:
    """The same of answers that may share a pass."""
    out = lay_out(model, answers)
    chunked(model)  # tries the model out the first time, and is not to be listened to
    with _listening(model, out.laid) as heard:
        logps_N = token_logprobs(model, out.laid).float().cpu()
    states_NW = heard[-1].cpu().double()
    laid = [
        AnswerStates(logps_L, states_LW.sum(0))
        for logps_L, states_LW in zip(
            out.laid.of_answers(logps_N), out.laid.of_answers(states_NW), strict=True
        )
    ]
    order = range(len(laid)) if out.order_A is None else out.order_A.tolist()
    return [laid[place] for place in order]


@contextmanager
def _listening(model: nn.Module, laid: Layout) -> Iterator[list[Tensor]]:
    """Within it, the states (N, W) that predict answer tokens are kept of every forward pass."""
    heard: list[Tensor] = []

    def listen(module: nn.Module, args: object, output: ModelOutput) -> None:
        heard.append(output["last_hidden_state"][laid.rows_N, laid.columns_N])

    handle = backbone(model).register_forward_hook(listen)
    try:
        yield heard
    finally:
        handle.remove()
