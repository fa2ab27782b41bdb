"""What is measured of a pair in training."""

import torch
from torch import Tensor

from train.preference.objective import PairLogprobs, PairLosses

METRICS = (
    "loss",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/accuracies",
    "rewards/margins",
    "logps/chosen",
    "logps/rejected",
    "logps/chosen_per_token",
    "logps/rejected_per_token",
    "logratios/chosen",
    "logratios/rejected",
    "logratios/chosen_per_token",
    "logratios/rejected_per_token",
    "logratios/common_mode",
    "logratios/difference_mode",
    "logratios/chosen_rose",
    "sft_loss",
)
"""Means over pairs. Rewards are beta times log-ratio whatever the loss; a tie counts half in
`rewards/accuracies`; `logratios/chosen_rose` is the share of pairs whose chosen answer became
likelier; `sft_loss` is the SFT term before its weight, which `loss` contains."""


@torch.no_grad()
def pair_metrics(logps: PairLogprobs, losses: PairLosses, beta: float) -> Tensor:
    """Every metric of every pair, (K, B)."""
    delta_w, delta_l = logps.delta_w, logps.delta_l
    difference = delta_w - delta_l
    values = {
        "loss": losses.total_B,
        "rewards/chosen": beta * delta_w,
        "rewards/rejected": beta * delta_l,
        "rewards/accuracies": (_sign(difference, logps.policy_w, logps.policy_l) + 1) / 2,
        "rewards/margins": beta * difference,
        "logps/chosen": logps.policy_w,
        "logps/rejected": logps.policy_l,
        "logps/chosen_per_token": logps.policy_w / logps.tokens_w,
        "logps/rejected_per_token": logps.policy_l / logps.tokens_l,
        "logratios/chosen": delta_w,
        "logratios/rejected": delta_l,
        "logratios/chosen_per_token": delta_w / logps.tokens_w,
        "logratios/rejected_per_token": delta_l / logps.tokens_l,
        "logratios/common_mode": (delta_w + delta_l) / 2,
        "logratios/difference_mode": difference,
        "logratios/chosen_rose": (_sign(delta_w, logps.policy_w, logps.ref_w) > 0).float(),
        "sft_loss": losses.sft_B,
    }
    return torch.stack([values[name] for name in METRICS])


def _sign(difference: Tensor, *of: Tensor) -> Tensor:
    """Its sign; 0 where it is within the rounding of the float32 numbers that it is a difference of.

    Before the first update all differences are 0, but for the order in which a forest is summed.
    """
    resolution = 16 * torch.finfo(torch.float32).eps * torch.stack(of).abs().sum(0)
    return torch.where(difference.abs() > resolution, difference.sign(), 0.0)
