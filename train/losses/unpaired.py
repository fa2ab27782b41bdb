"""Losses of single answers that are labelled as desirable or not.

    delta = log pi(y|x) - log pi_ref(y|x)    r = beta * delta

Each function maps `delta` (A,) and `desirable` (A,), bool, to losses (A,). On the two answers of a
pair their mean is half of the loss of the pair, or that itself where it is a mean over both (`kto`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def kto_unpaired(
    delta: Tensor,
    desirable: Tensor,
    *,
    beta: float,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
    reference_point: Tensor | float = 0.0,
) -> Tensor:
    """Kahneman–Tversky optimisation of an answer, z = beta * reference_point:

    w_d (1 - sigma(r - z)) where desirable, w_u (1 - sigma(z - r)) where not.

    Ethayarajh et al. 2024, eq. 7 and 8, https://arxiv.org/abs/2402.01306.
    """
    pull = beta * (reference_point - delta)
    return torch.where(desirable, desirable_weight * pull.sigmoid(), undesirable_weight * (-pull).sigmoid())


def bco_unpaired(delta: Tensor, desirable: Tensor, *, beta: float) -> Tensor:
    """Binary classifier optimisation of an answer: -log sigma(r) where desirable, -log sigma(-r) where not.

    Jung et al. 2024, https://arxiv.org/abs/2404.04656, without their reward shift, as `bco` of pairs.
    """
    return -F.logsigmoid(torch.where(desirable, beta * delta, -beta * delta))
