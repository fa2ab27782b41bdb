"""Losses of the policy's own log-probabilities: no reference is computed, loaded or kept.

    logps_w, logps_l    log-probabilities of chosen and rejected, (B,): nats
    |y|                 tokens of an answer

`cpo` takes sums over tokens, all others means over the tokens of each answer.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from train.losses.difference import smoothed_logistic

_CERTAIN = -1e-6
"""Mean log-probability above which an answer's odds are taken as they are here: they end in infinity."""


def simpo(
    logps_w: Tensor,
    logps_l: Tensor,
    *,
    beta: float,
    simpo_gamma: float,
    alpha: float = 0.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Simple preference optimisation: -log sigma(r_w - r_l - gamma), r = beta log pi(y) / |y|.

    Meng et al. 2024, eq. 6, https://arxiv.org/abs/2405.14734; they take beta from 2 to 10 and gamma / beta
    from 0.3 to 0.5. `alpha` other than 0 gives r the shape of AlphaPO (`alphapo_reward`).
    """
    difference = alphapo_reward(logps_w, alpha) - alphapo_reward(logps_l, alpha)
    return smoothed_logistic(beta * difference - simpo_gamma, label_smoothing)


def alphapo_reward(logps: Tensor, alpha: float) -> Tensor:
    """Return the reward of AlphaPO before beta: (1 - pi^(-alpha / |y|)) / alpha, log pi / |y| at alpha 0.

    Gupta et al. 2025, https://arxiv.org/abs/2501.03884, as in TRL. Above 0 it weighs unlikely answers more.
    """
    return -torch.expm1(-alpha * logps) / alpha if alpha else logps


def simper(logps_w: Tensor, logps_l: Tensor) -> Tensor:
    """Inverse perplexities: -exp(log pi(y_w) / |y_w|) + exp(log pi(y_l) / |y_l|).

    Xiao et al. 2025, https://arxiv.org/abs/2502.00883. It has neither beta nor a margin.
    """
    return logps_l.exp() - logps_w.exp()


def cpo(logps_w: Tensor, logps_l: Tensor, *, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """Contrastive preference optimisation: -log sigma(beta (log pi(y_w) - log pi(y_l))), sums over tokens.

    Xu et al. 2024, eq. 3, https://arxiv.org/abs/2401.08417; their second term is the SFT term at weight 1.
    """
    return smoothed_logistic(beta * (logps_w - logps_l), label_smoothing)


def orpo(logps_w: Tensor, logps_l: Tensor, *, beta: float) -> Tensor:
    """Odds ratio preference optimisation: beta * -log sigma(log odds(y_w) - log odds(y_l)).

    odds = p / (1 - p),  p = exp(log pi(y) / |y|)

    Hong et al. 2024, eq. 4 to 7, https://arxiv.org/abs/2403.07691. `beta` is their lambda, as in TRL; the
    term that it weighs against is the SFT term, at weight 1.
    """
    return -beta * F.logsigmoid(log_odds(logps_w) - log_odds(logps_l))


def log_odds(logps: Tensor) -> Tensor:
    """log(p / (1 - p)) of log p, below 0, of any shape; exact near both ends."""
    logps = logps.clamp(max=_CERTAIN)
    near = logps > -math.log(2)
    # Each branch gets harmless numbers where the other is taken, or its gradient would be NaN.
    small = torch.log(-torch.expm1(torch.where(near, logps, -1.0)))
    large = torch.log1p(-torch.exp(torch.where(near, -1.0, logps)))
    return logps - torch.where(near, small, large)
