"""From log-probabilities of pairs to the loss of each pair.

B  pairs in a batch
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pairwright.errors import UsageError
from pairwright.plugins import Wanted, guarded, load, require, takes
from train.losses.registry import LOSSES, PairLoss
from train.losses.sft import SFT_REDUCTIONS
from train.preference.config import TrainConfig
from train.preference.pair_logprobs import PairLogprobs


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
        """Return the log-ratios of chosen and rejected; log-probabilities if the loss has no reference."""
        if self.loss.per_token:
            return logps.delta_w / logps.tokens_w, logps.delta_l / logps.tokens_l
        return logps.delta_w, logps.delta_l

    def preference(self, compared_w: Tensor, compared_l: Tensor) -> Tensor:
        """Return the preference loss of each pair, without the SFT term."""
        beta = {"beta": self.beta} if "beta" in self.loss.options else {}
        return self.loss.formula(compared_w, compared_l, **beta, **self.options)

    def reward(self, compared: Tensor) -> Tensor:
        """Return answers' rewards as the loss means them, from their log-ratios or log-probabilities."""
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
    """Return the loss of this name: ours, or the user's own, as a formula or as a `PairLoss`."""
    if name in LOSSES:
        return LOSSES[name]
    own = load(name, _OWN).value
    loss = own if isinstance(own, PairLoss) else PairLoss(own)
    return loss._replace(formula=_guarded(name, loss.formula))


def _guarded(name: str, formula: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A formula of the user's own, whose faults are told in one sentence."""

    def losses(one: Tensor, other: Tensor, **options: Any) -> Tensor:
        with guarded(name, formula):
            found = formula(one, other, **options)
        fits = isinstance(found, Tensor) and found.shape == one.shape and found.is_floating_point()
        require(name, f"a loss of each pair, a tensor of shape {tuple(one.shape)},", given=found, fits=fits)
        depends = found.requires_grad or not one.requires_grad
        require(name, "a value that depends on what it was given", given=found, fits=depends)
        return found

    return losses


def objective_of(config: TrainConfig) -> Objective:
    """Return the objective that the settings describe."""
    loss = loss_of(config.loss)
    options = [name for name in loss.options if name != "beta"]
    if unknown := next((name for name in options if name not in type(config).model_fields), None):
        raise UsageError(
            f"--loss {config.loss}: its option `{unknown}` is no setting of `pairwright train`; give the "
            "number to your function (functools.partial), or name a setting that is there"
        )
    return Objective(
        loss=loss,
        beta=config.beta,
        sft=SFT_REDUCTIONS[config.sft_reduction],
        sft_weight=config.sft_weight * (config.beta if config.sft_times_beta else 1.0),
        options={name: getattr(config, name) for name in options},
    )
