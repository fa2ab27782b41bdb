"""Rewards of answers given their prompts: with gradients, or of many in batches; prompts are shared.

A  answers
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from pairwright.models.reward_head import reading
from train.forward.answers import Answer
from train.forward.layout import joined, lay_out, passes_of
from train.models.reward import head_of

Batch: TypeAlias = tuple[Sequence[int], float]
"""Which of the answers go through the model together, and a weight: 0 for work that another
process does too, and that only keeps them in step."""


def answer_scores(model: nn.Module, answers: Sequence[Answer]) -> Tensor:
    """Return the reward of each answer (A,), float32, in the order given, with gradients.

    It is read at the answer's last token, the one that ends the turn, wherever that was laid; no
    token id is compared with a padding id. Answers to one prompt share its computation where the
    model allows that.
    """
    places = passes_of(model, answers)
    return joined([_scores(model, [answers[place] for place in some]) for some in places], places)


def _scores(model: nn.Module, answers: Sequence[Answer]) -> Tensor:
    """The same of answers that may share a pass."""
    out = lay_out(model, answers)
    with reading(head_of(model), out.laid.rows_A, out.laid.columns_A) as read:
        model(**out.laid.inputs, use_cache=False)
    return out.in_order(read())


@torch.no_grad()
def all_scores(model: nn.Module, answers: Sequence[Answer], batches: Iterable[Batch]) -> Tensor:
    """Return the rewards of answers (A,), float32, on the model's device; 0 for those in no batch."""
    scores_A = torch.zeros(len(answers), device=next(model.parameters()).device)
    for numbers, weight in batches:
        found = answer_scores(model, [answers[number] for number in numbers])
        if weight:
            scores_A[list(numbers)] = found
    return scores_A
