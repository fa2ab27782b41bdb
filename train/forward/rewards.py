"""Rewards of answers given their prompts, with gradients and prompts shared.

A  answers in a batch
"""

from collections.abc import Sequence

from torch import Tensor, nn

from pairwright.models.reward_head import reading
from train.forward.answers import Answer
from train.forward.layout import lay_out
from train.models.reward import head_of


def answer_scores(model: nn.Module, answers: Sequence[Answer]) -> Tensor:
    """The reward of each answer (A,), float32, in the order given, with gradients.

    It is read at the answer's last token, the one that ends the turn, wherever that was laid; no
    token id is compared with a padding id. Answers to one prompt share its computation where the
    model allows that.
    """
    out = lay_out(model, answers)
    with reading(head_of(model), out.laid.rows_A, out.laid.columns_A) as read:
        model(**out.laid.inputs, use_cache=False)
    return out.in_order(read())
