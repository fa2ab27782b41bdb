"""Pairs with their reference, and what policy and reference think of them."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from train.data.pairs import Pair
from train.forward.logprobs import answer_logprobs, answers_of
from train.preference.objective import PairLogprobs


class PairSet(NamedTuple):
    """P pairs and what the reference thinks of them."""

    pairs: Sequence[Pair]
    ref_P2: Tensor
    """Reference log-probabilities of chosen and rejected: nats, float32, on the model's device."""


def pair_logprobs(model: nn.Module, data: PairSet, indices: Sequence[int]) -> PairLogprobs:
    """Policy and reference on some of the pairs, in one forward pass, with gradients."""
    policy = answer_logprobs(model, answers_of([data.pairs[index] for index in indices]))
    policy_w, policy_l = policy.sums_A.chunk(2)
    tokens_w, tokens_l = policy.tokens_A.chunk(2)
    ref_w, ref_l = data.ref_P2[list(indices)].unbind(1)
    return PairLogprobs(policy_w, policy_l, ref_w, ref_l, tokens_w, tokens_l)
