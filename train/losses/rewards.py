"""Losses of a reward model: rewards of chosen and rejected, each (B,), to losses (B,)."""

import torch.nn.functional as F
from torch import Tensor


def ranking(rewards_w: Tensor, rewards_l: Tensor, margin: Tensor) -> Tensor:
    """Bradley–Terry: -log sigma(r_w - r_l - margin), (B,). With margin 0 it is L_rank of the paper."""
    return -F.logsigmoid(rewards_w - rewards_l - margin)


def wgan(rewards_w: Tensor, rewards_l: Tensor) -> Tensor:
    """Difference of rewards: -(r_w - r_l), (B,), as in the paper's eq. 14; it has no lower bound."""
    return rewards_l - rewards_w
