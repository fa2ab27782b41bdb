"""Pairs with their reference, and how an update's pairs are dealt to processes and forward passes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from train.logprobs import answer_logprobs, answers_of
from train.objective import PairLogprobs
from train.pairs import Pair


class PairSet(NamedTuple):
    """P pairs and what the reference thinks of them."""

    pairs: Sequence[Pair]
    ref_P2: Tensor
    """Reference log-probabilities of chosen and rejected: nats, float32, on the model's device."""


class MicroBatch(NamedTuple):
    """Pairs of one forward pass on one process."""

    indices: list[int]
    weight: float
    """1; or 0 for work that only keeps a process in step with the others."""


def deal(
    indices: Sequence[int], pairs: Sequence[Pair], *, size: int, rank: int, world: int
) -> list[MicroBatch]:
    """The micro-batches of process `rank` of `world`: at most `size` pairs each, equally many for all.

    Longest first, so that memory runs out at once or never, and like with like, to pad little.
    """
    ordered = sorted(indices, key=lambda index: -pairs[index].longest)
    mine = ordered[rank::world]
    chunks = [mine[start : start + size] for start in range(0, len(mine), size)]
    rounds = math.ceil(math.ceil(len(ordered) / world) / size)
    idle = [MicroBatch(ordered[-1:], 0.0)] * (rounds - len(chunks))
    return [MicroBatch(chunk, 1.0) for chunk in chunks] + idle


def pair_logprobs(model: nn.Module, data: PairSet, indices: Sequence[int]) -> PairLogprobs:
    """Policy and reference on some of the pairs, in one forward pass, with gradients."""
    policy = answer_logprobs(model, answers_of([data.pairs[index] for index in indices]))
    policy_w, policy_l = policy.sums_A.chunk(2)
    tokens_w, tokens_l = policy.tokens_A.chunk(2)
    ref_w, ref_l = data.ref_P2[list(indices)].unbind(1)
    return PairLogprobs(policy_w, policy_l, ref_w, ref_l, tokens_w, tokens_l)
