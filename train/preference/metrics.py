"""Metrics of pairs in training."""

import torch
from torch import Tensor

from train.preference.objective import Objective, PairLosses
from train.preference.pair_logprobs import PairLogprobs

_REWARDS = (
    "loss",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/accuracies",
    "rewards/margins",
    "logps/chosen",
    "logps/rejected",
    "logps/chosen_per_token",
    "logps/rejected_per_token",
)
_LOGRATIOS = (
    "logratios/chosen",
    "logratios/rejected",
    "logratios/chosen_per_token",
    "logratios/rejected_per_token",
    "logratios/common_mode",
    "logratios/difference_mode",
    "logratios/chosen_rose",
)
METRICS = (*_REWARDS, *_LOGRATIOS, "sft_loss")
"""Means over pairs. Rewards are what the loss means by them: beta times log-ratio, per token where the
loss takes it so; beta times log-probability, or SimPER's inverse perplexity, where there is no
reference. A tie counts half in `rewards/accuracies`; `logratios/chosen_rose` is the share of pairs whose
chosen answer became likelier; `sft_loss` is the SFT term before its weight, which `loss` contains.
Weights of tokens are in the loss, the rewards and the SFT term; `logps/*` and `logratios/*` are in
plain nats. The weight of a pair is in its loss alone."""


def metrics_of(objective: Objective) -> tuple[str, ...]:
    """Return the names of the metrics under an objective: no log-ratios without a reference."""
    logratios = _LOGRATIOS if objective.loss.reference else ()
    return (*_REWARDS, *logratios, *(("sft_loss",) if objective.sft_weight else ()))


@torch.no_grad()
def pair_metrics(logps: PairLogprobs, losses: PairLosses, objective: Objective) -> Tensor:
    """Return every metric of every pair (K, B), in the order of `metrics_of`."""
    plain = logps.unweighted or logps
    delta_w, delta_l = plain.delta_w, plain.delta_l
    compared_w, compared_l = objective.compared(logps)
    reward_w, reward_l = objective.reward(compared_w), objective.reward(compared_l)
    ahead = _ahead(compared_w - compared_l, logps, objective.loss.per_token)
    values = {
        "loss": losses.total_B,
        "rewards/chosen": reward_w,
        "rewards/rejected": reward_l,
        "rewards/accuracies": (ahead + 1) / 2,
        "rewards/margins": reward_w - reward_l,
        "logps/chosen": plain.policy_w,
        "logps/rejected": plain.policy_l,
        "logps/chosen_per_token": plain.policy_w / plain.tokens_w,
        "logps/rejected_per_token": plain.policy_l / plain.tokens_l,
        "logratios/chosen": delta_w,
        "logratios/rejected": delta_l,
        "logratios/chosen_per_token": delta_w / plain.tokens_w,
        "logratios/rejected_per_token": delta_l / plain.tokens_l,
        "logratios/common_mode": (delta_w + delta_l) / 2,
        "logratios/difference_mode": delta_w - delta_l,
        "logratios/chosen_rose": (_sign(delta_w, plain.policy_w, plain.ref_w) > 0).float(),
        "sft_loss": losses.sft_B,
    }
    return torch.stack([values[name] for name in metrics_of(objective)])


def _ahead(difference: Tensor, logps: PairLogprobs, per_token: bool) -> Tensor:
    """Whether chosen is ahead (B,): 1, -1, or 0 for what rounding alone could make of it."""
    scale_w, scale_l = (logps.tokens_w, logps.tokens_l) if per_token else (1, 1)
    return _sign(difference, logps.policy_w / scale_w, logps.policy_l / scale_l)


def _sign(difference: Tensor, *of: Tensor) -> Tensor:
    """Its sign; 0 where it is within the rounding of the float32 numbers that it is a difference of.

    Before the first update all differences are 0, but for the order in which a forest is summed.
    """
    resolution = 16 * torch.finfo(torch.float32).eps * torch.stack(of).abs().sum(0)
    return torch.where(difference.abs() > resolution, difference.sign(), 0.0)
