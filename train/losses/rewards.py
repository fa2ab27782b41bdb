"""Losses of a reward model: rewards of chosen and rejected, each (B,), to losses (B,)."""

import torch.nn.functional as F
from torch import Tensor


def ranking(rewards_w: Tensor, rewards_l: Tensor, margin: Tensor) -> Tensor:
    """Bradley–Terry: -log sigma(r_w - r_l - margin), (B,). With margin 0 it is L_rank of the paper."""
    return -F.logsigmoid(rewards_w - rewards_l - margin)


def wgan(rewards_w: Tensor, rewards_l: Tensor) -> Tensor:
    """Difference of rewards: -(r_w - r_l), (B,), as in the paper's eq. 14; it has no lower bound."""
    return rewards_l - rewards_w


def centring(rewards_w: Tensor, rewards_l: Tensor) -> Tensor:
    """Return what holds rewards around 0: (r_w + r_l)^2, (B,).

    Eisenstein et al. 2023, eq. 2, https://arxiv.org/abs/2312.09244; TRL weighs it with 0.01. Preferences
    alone leave all rewards to one prompt free to move together.
    """
    return (rewards_w + rewards_l) ** 2
