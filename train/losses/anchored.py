"""Losses with an absolute term for each answer: chosen and rejected each have an anchor.

    delta_w, delta_l    log-ratios of chosen and rejected to the reference, (B,): nats, summed over tokens
    r = beta * delta    reward

`apo_*` is *anchored* preference optimisation; the adversarial method of the same initials is a game
between models, not a loss.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def apo_zero(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """Anchored PO for chosen answers better than the model's: 1 - sigma(r_w) + sigma(r_l).

    D'Oosterlinck et al. 2024, eq. 7 (plus a constant 1), https://arxiv.org/abs/2408.06266
    Each side has its own anchor at the reference: chosen up, rejected down. The gradient is half of
    DPO's at the start and vanishes for |r| >> 1, on either side.
    """
    return (-beta * delta_w).sigmoid() + (beta * delta_l).sigmoid()


def apo_down(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """Anchored PO for chosen answers worse than the model's: sigma(r_w) + 1 - sigma(r_w - r_l).

    D'Oosterlinck et al. 2024, eq. 8 (plus a constant 1), https://arxiv.org/abs/2408.06266
    Both sides down, the rejected further. Nothing pushes the chosen at the very start.
    """
    return (beta * delta_w).sigmoid() + (beta * (delta_l - delta_w)).sigmoid()


def apo_hinge_zero(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """APO-zero with a hinge for each sigmoid: max(0, 1 - r_w) + max(0, 1 + r_l).

    After Yao et al. 2025, https://arxiv.org/abs/2508.08466, who join "hinge-induced hard-example mining"
    to APO-zero; the formula is a reading of that sentence, not checked against their equation. Unlike
    APO-zero's, the gradient of a side stays whole however far it is on the wrong one, and ends at |r| = 1.
    """
    return (1 - beta * delta_w).relu() + (1 + beta * delta_l).relu()


def apo_zero_unpaired(delta: Tensor, desirable: Tensor, *, beta: float) -> Tensor:
    """APO-zero of single answers: 1 - sigma(r) where desirable, sigma(r) where not.

    The terms of D'Oosterlinck et al. 2024, eq. 7, one by one, https://arxiv.org/abs/2408.06266;
    also KTO with its reference point at zero. `delta` is (N,), `desirable` bool (N,) or
    broadcastable, the losses are (N,): one per answer, not per pair. The mean is over answers, so N
    pairs taken as 2N answers give half of the mean, and of the gradient, of `apo_zero`.
    """
    return torch.where(desirable, -beta * delta, beta * delta).sigmoid()


def apo_zero_halves(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """`apo_zero_unpaired` of both answers of a pair, averaged over the two: half of `apo_zero`."""
    delta_2B = torch.stack([delta_w, delta_l])
    desirable_2B = torch.tensor([[True], [False]], device=delta_w.device)
    return apo_zero_unpaired(delta_2B, desirable_2B, beta=beta).mean(0)


def kto(
    delta_w: Tensor,
    delta_l: Tensor,
    *,
    beta: float,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
    reference_point: Tensor | float = 0.0,
) -> Tensor:
    """Kahneman–Tversky optimisation of both answers of a pair, averaged over the two.

    (w_d (1 - sigma(r_w - z)) + w_u (1 - sigma(z - r_l))) / 2,  z = beta * reference_point

    Ethayarajh et al. 2024, eq. 7 and 8, https://arxiv.org/abs/2402.01306. `reference_point` is the KL
    divergence from the reference, estimated without a gradient and not below 0; at 0 it is APO-zero's.
    """
    desirable = desirable_weight * (beta * (reference_point - delta_w)).sigmoid()
    return (desirable + undesirable_weight * (beta * (delta_l - reference_point)).sigmoid()) / 2


def nca(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """Noise contrastive alignment of a pair: -log sigma(r_w) - 1/2 log sigma(-r_w) - 1/2 log sigma(-r_l).

    Chen et al. 2024, for two answers and a hard preference, https://arxiv.org/abs/2402.05369, as in TRL.
    The chosen reward is held where sigma(r_w) = 2/3, at log 2, so a chosen answer does not sink.
    """
    pulled = -F.logsigmoid(beta * delta_w) - F.logsigmoid(-beta * delta_w) / 2
    return pulled - F.logsigmoid(-beta * delta_l) / 2


def bco(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """Binary classifier optimisation of a pair: -log sigma(r_w) - log sigma(-r_l).

    Jung et al. 2024, https://arxiv.org/abs/2404.04656, without their reward shift, as in TRL.
    """
    return -F.logsigmoid(beta * delta_w) - F.logsigmoid(-beta * delta_l)


def sppo(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """Self-play preference optimisation: (delta_w - 1 / (2 beta))^2 + (delta_l + 1 / (2 beta))^2.

    Wu et al. 2024, eq. 4.7 with the probabilities of winning 1 and 0, https://arxiv.org/abs/2405.00675;
    their eta is 1 / beta.
    """
    return (delta_w - 1 / (2 * beta)) ** 2 + (delta_l + 1 / (2 * beta)) ** 2
