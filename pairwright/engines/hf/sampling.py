"""The next token of every sequence in a batch. Shapes: B sequences, V vocabulary."""

from collections.abc import Sequence

import torch
from torch import Tensor

_FIRST_LOOK = 64


def drawn(logits_BV: Tensor, temperature_B: Tensor, top_p_B: Tensor, uniform_B: Tensor) -> Tensor:
    """Return token ids, (B,), each by inverting its distribution at its own uniform number in [0, 1).

    One number decides a token, so a sequence of numbers decides a completion, whoever else is in
    the batch. Temperature 0 takes the likeliest token.
    """
    likeliest = logits_BV.argmax(-1)
    greedy = temperature_B == 0
    if greedy.all():
        return likeliest
    scaled = logits_BV / torch.where(greedy, 1.0, temperature_B)[:, None]
    if (top_p_B < 1).any():
        scaled = nucleus(scaled, top_p_B)
    mass = scaled.softmax(-1).cumsum(-1)
    chosen = torch.searchsorted(mass, uniform_B[:, None] * mass[:, -1:], right=True)
    return torch.where(greedy, likeliest, chosen.squeeze(-1))


def nucleus(logits_BV: Tensor, top_p_B: Tensor) -> Tensor:
    """Return the logits with -inf outside the smallest set of tokens that holds `top_p` of the mass."""
    narrow = top_p_B < 1
    top, inside = _nucleus_top(logits_BV, top_p_B, narrow)
    last = top.gather(-1, inside.sum(-1, keepdim=True) - 1)
    floor = torch.where(narrow[:, None], last, -torch.inf)
    return logits_BV.masked_fill(logits_BV < floor, -torch.inf)


def _nucleus_top(logits_BV: Tensor, top_p_B: Tensor, narrow_B: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest logits in falling order, enough for every nucleus, and which are inside it.

    A nucleus is mostly small, and sorting a vocabulary dear: look at few first, then at more.
    """
    total, vocabulary = logits_BV.logsumexp(-1, keepdim=True), logits_BV.shape[-1]
    count = min(_FIRST_LOOK, vocabulary)
    while True:
        top = logits_BV.topk(count).values
        mass = (top - total).exp()
        inside = mass.cumsum(-1) - mass < top_p_B[:, None]
        if count == vocabulary or not (inside[:, -1] & narrow_B).any():
            return top, inside
        count = min(8 * count, vocabulary)


def top_logprobs(logits_BV: Tensor, count: int) -> tuple[list[list[int]], list[list[float]]]:
    """Return ids and natural-log probabilities of the `count` likeliest tokens, for each sequence."""
    found = logits_BV.log_softmax(-1).topk(min(count, logits_BV.shape[-1]))
    return found.indices.tolist(), found.values.tolist()


def only(logits_V: Tensor, allowed: Sequence[int]) -> Tensor:
    """Return the logits with -inf for all tokens but the allowed."""
    kept = torch.full_like(logits_V, -torch.inf)
    index = torch.tensor(allowed, device=logits_V.device)
    kept[index] = logits_V[index]
    return kept
