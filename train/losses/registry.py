"""Losses of pairs by the names that they have on the command line."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from train.losses import anchored, difference, without_reference
from train.losses.facts import FACTS


def linear(delta: Tensor, *, beta: float, **options: Any) -> Tensor:
    """beta * delta, which is what most losses mean by a reward."""
    return beta * delta


def inverse_perplexity(logps: Tensor, *, beta: float, **options: Any) -> Tensor:
    """exp(log pi(y) / |y|), SimPER's reward."""
    return logps.exp()


def shaped(logps: Tensor, *, beta: float, alpha: float, **options: Any) -> Tensor:
    """beta times AlphaPO's reward, which at alpha 0 is SimPO's."""
    return beta * without_reference.alphapo_reward(logps, alpha)


class PairLoss(NamedTuple):
    """A formula and its arguments."""

    formula: Callable[..., Tensor]
    """(delta_w, delta_l, *, beta, ...), each (B,), to losses (B,)."""
    per_token: bool = False
    """Whether it takes log-ratios per token instead of sums."""
    reference: bool = True
    """Whether it takes log-ratios to a reference; else log-probabilities."""
    options: tuple[str, ...] = ("beta",)
    """Settings that it takes by name."""
    reward: Callable[..., Tensor] = linear
    """What it means by the reward of an answer: of what it takes of it, (B,) to (B,), for metrics."""


_REWARDS: Mapping[str, Callable[..., Tensor]] = {"simper": inverse_perplexity, "simpo": shaped}


def _formula(name: str) -> Callable[..., Tensor]:
    if name == "apo_zero_unpaired":
        return anchored.apo_zero_halves
    rooms = (difference, anchored, without_reference)
    formula: Callable[..., Tensor] = next(getattr(room, name) for room in rooms if hasattr(room, name))
    return formula


LOSSES: Mapping[str, PairLoss] = {
    name: PairLoss(
        _formula(name),
        facts.per_token,
        facts.reference,
        (*(("beta",) if facts.beta else ()), *facts.options),
        _REWARDS.get(name, linear),
    )
    for name, facts in FACTS.items()
}
