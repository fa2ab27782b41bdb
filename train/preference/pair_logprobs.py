"""Log-probabilities of both answers of pairs, under the policy and the reference.

B  pairs in a batch
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from train.data.pairs import Pair
from train.forward.answers import Answer
from train.forward.logprobs import answer_logprobs, answers_of
from train.losses.wpo import wpo_weight


class PairLogprobs(NamedTuple):
    """Policy and reference on both answers of each pair: nats, summed over tokens, each (B,).

    Where tokens have weights, the sums are weighted, and `tokens_w` and `tokens_l` are sums of weights.
    """

    policy_w: Tensor
    policy_l: Tensor
    ref_w: Tensor
    ref_l: Tensor
    tokens_w: Tensor
    tokens_l: Tensor
    weight: Tensor | float = 1.0
    """How much each pair counts."""
    on_policy: Tensor | float = 1.0
    """What the preference loss is multiplied with, the SFT term not: WPO's weight."""
    unweighted: "PairLogprobs | None" = None
    """The same without the weights of tokens, where there are any."""

    @property
    def delta_w(self) -> Tensor:
        """Log-ratio of the chosen answers."""
        return self.policy_w - self.ref_w

    @property
    def delta_l(self) -> Tensor:
        """Log-ratio of the rejected answers."""
        return self.policy_l - self.ref_l


class PairSet(NamedTuple):
    """P pairs with reference log-probabilities."""

    items: Sequence[Pair]
    ref_PK: Tensor
    """Reference log-probabilities of chosen and rejected (P, 2): nats, float32, on the model's device;
    where tokens have weights both weighted and then both unweighted (P, 4); zeros without a reference."""
    shares: tuple[float, float] = (1.0, 1.0)
    """Of single answers: all of them for each desirable one, and for each that is not."""


def pair_logprobs(model: nn.Module, data: PairSet, indices: Sequence[int]) -> PairLogprobs:
    """Return policy and reference log-probabilities of some pairs: one forward pass, with gradients."""
    asked = answers_of([data.items[index] for index in indices])
    return beside_reference(logprobs_of(model, asked), data, indices)


def logprobs_of(model: nn.Module, answers: Sequence[Answer], *, aligned: bool = False) -> Tensor:
    """Return log-probabilities of answers (A,), or of each of them several numbers (A, C).

    Where tokens have weights, the weighted log-probability and the unweighted one; with `aligned` the
    alignment last.
    """
    found = answer_logprobs(model, answers, aligned=aligned)
    columns = [c for c in (found.weighted_A, found.sums_A, found.alignment_A) if c is not None]
    return torch.stack(columns, 1) if len(columns) > 1 else found.sums_A


def beside_reference(policy_A: Tensor, data: PairSet, indices: Sequence[int]) -> PairLogprobs:
    """Return the policy's log-probabilities of some pairs together with the reference's.

    `policy_A` is as `logprobs_of` gives it: all chosen answers of the pairs, then all rejected ones.
    """
    pairs = [data.items[index] for index in indices]
    counts = [[len(p.chosen_ids) for p in pairs], [len(p.rejected_ids) for p in pairs]]
    weight_B = torch.tensor([pair.weight for pair in pairs]).to(policy_A.device, non_blocking=True)
    ref_BK = data.ref_PK[list(indices)]
    columns = policy_A[:, None].unbind(1) if policy_A.dim() == 1 else policy_A.unbind(1)
    found = _sides(columns[0], ref_BK, counts)
    forms = 1
    if any(pair.token_weights is not None for pair in pairs):
        # An answer whose tokens all weigh nothing has a sum of 0, and so a mean of 0.
        sums = [[_sum_of(pair, side) or 1.0 for pair in pairs] for side in (0, 1)]
        plain = _sides(columns[1], ref_BK[:, 2:], counts)
        found, forms = _sides(columns[0], ref_BK, sums)._replace(unweighted=plain), 2
    on_policy = wpo_weight(*columns[forms].chunk(2)) if len(columns) > forms else 1.0
    return found._replace(weight=weight_B, on_policy=on_policy)


def _sum_of(pair: Pair, side: int) -> float:
    return 0.0 if pair.token_weights is None else float(pair.token_weights[side].sum())


def _sides(policy_A: Tensor, ref_BK: Tensor, tokens: Sequence[Sequence[float]]) -> PairLogprobs:
    policy_w, policy_l = policy_A.chunk(2)
    tokens_w, tokens_l = torch.tensor(tokens).to(policy_A.device, non_blocking=True)
    return PairLogprobs(policy_w, policy_l, ref_BK[:, 0], ref_BK[:, 1], tokens_w, tokens_l)
