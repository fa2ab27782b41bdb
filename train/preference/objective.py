"""From log-probabilities of pairs to the loss of each pair.

B  pairs in a batch
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pairwright.plugins import Wanted, load, takes
from train.data.pairs import Pair
from train.forward.answers import Answer
from train.forward.logprobs import answer_logprobs, answers_of
from train.losses.registry import LOSSES, PairLoss
from train.losses.sft import SFT_REDUCTIONS
from train.losses.wpo import wpo_weight
from train.preference.config import TrainConfig


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


class PairLosses(NamedTuple):
    """The loss of each pair (B,), times its weight, and the SFT term before any weight (B,)."""

    total_B: Tensor
    sft_B: Tensor


class Objective(NamedTuple):
    """What is minimised: preference + sft_weight * sft, the mean over pairs of both."""

    loss: PairLoss
    beta: float
    """1 where the loss has none."""
    sft: Callable[[Tensor, Tensor], Tensor]
    sft_weight: float
    """Beta is in it already where it should be."""
    options: Mapping[str, Any] = MappingProxyType({})
    """Settings of the loss besides beta."""

    def __call__(self, logps: PairLogprobs) -> PairLosses:
        """Losses of pairs, not reduced."""
        preference_B = self.preference(*self.compared(logps)) * logps.on_policy
        sft_B = self.sft(logps.policy_w, logps.tokens_w)
        # A term of weight zero must not cost a gradient, nor turn an infinity into NaN.
        total_B = preference_B + self.sft_weight * sft_B if self.sft_weight else preference_B
        return PairLosses(total_B * logps.weight, sft_B)

    def compared(self, logps: PairLogprobs) -> tuple[Tensor, Tensor]:
        """What the loss takes of chosen and rejected; without a reference these are log-probabilities."""
        if self.loss.per_token:
            return logps.delta_w / logps.tokens_w, logps.delta_l / logps.tokens_l
        return logps.delta_w, logps.delta_l

    def preference(self, compared_w: Tensor, compared_l: Tensor) -> Tensor:
        """The preference loss of each pair, without the SFT term."""
        beta = {"beta": self.beta} if "beta" in self.loss.options else {}
        return self.loss.formula(compared_w, compared_l, **beta, **self.options)

    def reward(self, compared: Tensor) -> Tensor:
        """What the loss means by the reward of answers, of what it takes of them."""
        return self.loss.reward(compared, beta=self.beta, **self.options)

    @property
    def at_reference(self) -> float:
        """The preference loss where policy and reference agree."""
        zero = torch.zeros(1)
        return float(self.preference(zero, zero))


_OWN = Wanted(
    "a loss",
    "def NAME(delta_w, delta_l, *, beta) -> Tensor",
    lambda value: isinstance(value, PairLoss) or (callable(value) and takes(value, 2, "beta")),
)


def loss_of(name: str) -> PairLoss:
    """The loss of this name: ours, or the user's own, as a formula or as a `PairLoss`."""
    if name in LOSSES:
        return LOSSES[name]
    own = load(name, _OWN).value
    return own if isinstance(own, PairLoss) else PairLoss(own)


def objective_of(config: TrainConfig) -> Objective:
    """The objective that the settings describe."""
    loss = loss_of(config.loss)
    return Objective(
        loss=loss,
        beta=config.beta,
        sft=SFT_REDUCTIONS[config.sft_reduction],
        sft_weight=config.sft_weight * (config.beta if config.sft_times_beta else 1.0),
        options={name: getattr(config, name) for name in loss.options if name != "beta"},
    )


class PairSet(NamedTuple):
    """P pairs and what the reference thinks of them."""

    items: Sequence[Pair]
    ref_PK: Tensor
    """Reference log-probabilities of chosen and rejected (P, 2): nats, float32, on the model's device;
    where tokens have weights both weighted and then both unweighted (P, 4); zeros without a reference."""


def pair_logprobs(model: nn.Module, data: PairSet, indices: Sequence[int]) -> PairLogprobs:
    """Policy and reference on some of the pairs, in one forward pass, with gradients."""
    asked = answers_of([data.items[index] for index in indices])
    return beside_reference(logprobs_of(model, asked), data, indices)


def logprobs_of(model: nn.Module, answers: Sequence[Answer], *, aligned: bool = False) -> Tensor:
    """Log-probabilities of answers (A,), or of each of them several numbers (A, C).

    Where tokens have weights, the weighted log-probability and the unweighted one; with `aligned` the
    alignment last.
    """
    found = answer_logprobs(model, answers, aligned=aligned)
    columns = [c for c in (found.weighted_A, found.sums_A, found.alignment_A) if c is not None]
    return torch.stack(columns, 1) if len(columns) > 1 else found.sums_A


def beside_reference(policy_A: Tensor, data: PairSet, indices: Sequence[int]) -> PairLogprobs:
    """What the policy says of all chosen answers of some pairs, then of all rejected, and the reference.

    `policy_A` is as `logprobs_of` gives it.
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
