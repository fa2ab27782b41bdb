"""Losses of the difference of log-ratios: only how far chosen is ahead of rejected matters.

    delta_w = log pi(y_w|x) - log pi_ref(y_w|x)    chosen   (winner)
    delta_l = log pi(y_l|x) - log pi_ref(y_l|x)    rejected (loser)
    d = beta * (delta_w - delta_l)                 margin
    B                                              pairs in a batch

Log-probabilities are in nats, summed over the answer's tokens, the end-of-sequence token included, but
for losses that are said to take them per token. Every loss maps (delta_w, delta_l), each (B,), to losses
(B,). Nothing is detached, nothing is reduced: the mean over pairs, metrics and logging are the caller's.
All of these let chosen and rejected fall together.
"""

import math

import torch.nn.functional as F
from torch import Tensor


def dpo(delta_w: Tensor, delta_l: Tensor, *, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """Direct preference optimisation: -log sigma(d).

    Rafailov et al. 2023, eq. 7, https://arxiv.org/abs/2305.18290; `label_smoothing` makes it `cdpo`.
    """
    return cdpo(delta_w, delta_l, beta=beta, label_smoothing=label_smoothing)


def cdpo(delta_w: Tensor, delta_l: Tensor, *, beta: float, label_smoothing: float) -> Tensor:
    """DPO when a share `label_smoothing` (below 1/2) of the preferences is the wrong way round.

    (1 - eps) * -log sigma(d) + eps * -log sigma(-d)

    Mitchell 2023, eq. 3, https://ericmitchell.ai/cdpo.pdf
    """
    return smoothed_logistic(beta * (delta_w - delta_l), label_smoothing)


def dpo_norm(delta_w: Tensor, delta_l: Tensor, *, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """Length-normalised DPO: -log sigma(beta (delta_w / |y_w| - delta_l / |y_l|)).

    Tülu 3, Lambert et al. 2024, section 5, https://arxiv.org/abs/2411.15124; OLMo 3 trains by it with
    beta 5 (section A.6.2, https://arxiv.org/abs/2512.13961); TRL calls it `sigmoid_norm`. It takes
    log-ratios per token, so its formula is that of `dpo`.
    """
    return dpo(delta_w, delta_l, beta=beta, label_smoothing=label_smoothing)


def robust(delta_w: Tensor, delta_l: Tensor, *, beta: float, label_smoothing: float) -> Tensor:
    """DPO without the bias of flipped labels, a share `label_smoothing` (below 1/2) of all.

    ((1 - eps) * -log sigma(d) - eps * -log sigma(-d)) / (1 - 2 eps)

    Chowdhury et al. 2024 (rDPO), https://arxiv.org/abs/2403.00409, as in TRL.
    Its mean over flips is DPO's loss on the true labels; a single pair's may be below 0.
    """
    margin = beta * (delta_w - delta_l)
    as_labelled, flipped = -F.logsigmoid(margin), -F.logsigmoid(-margin)
    return ((1 - label_smoothing) * as_labelled - label_smoothing * flipped) / (1 - 2 * label_smoothing)


def ipo(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """Identity preference optimisation: (delta_w - delta_l - 1 / (2 beta))^2; `beta` is their tau.

    Azar et al. 2023, eq. 17, https://arxiv.org/abs/2310.12036
    The target margin does not grow with the answers, so it takes log-ratios per token, as TRL does on
    the authors' word; on sums the square would weigh pairs by their length.
    """
    return (delta_w - delta_l - 1 / (2 * beta)) ** 2


def hinge(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """max(0, 1 - d): nothing more is asked of a pair whose margin is 1.

    The calibration loss of SLiC-HF, Zhao et al. 2023, https://arxiv.org/abs/2305.10425, on rewards, as
    Liu et al. 2023 (RSO), https://arxiv.org/abs/2309.06657, and TRL have it.
    """
    return (1 - beta * (delta_w - delta_l)).relu()


def exo(delta_w: Tensor, delta_l: Tensor, *, beta: float, label_smoothing: float) -> Tensor:
    """Exact optimisation: the KL divergence from the policy's preference to the smoothed label.

    q log(q / (1 - eps)) + (1 - q) log((1 - q) / eps),  q = sigma(d)

    Ji et al. 2024, eq. 16, https://arxiv.org/abs/2402.00856. `label_smoothing` above 0; they take 1e-3.
    """
    margin = beta * (delta_w - delta_l)
    wins = margin.sigmoid() * (F.logsigmoid(margin) - math.log1p(-label_smoothing))
    return wins + (-margin).sigmoid() * (F.logsigmoid(-margin) - math.log(label_smoothing))


def discopop(delta_w: Tensor, delta_l: Tensor, *, beta: float, discopop_tau: float) -> Tensor:
    """Discovered preference optimisation: logistic below a margin of 0, exponential above.

    (1 - k) * -log sigma(d) + k exp(-d),  k = sigma(d / tau)

    Lu et al. 2024, eq. 5, https://arxiv.org/abs/2406.08414, as their code and TRL have it, tau = 0.05.
    """
    margin = beta * (delta_w - delta_l)
    logistic = (-margin / discopop_tau).sigmoid() * -F.logsigmoid(margin)
    # k exp(-d) in one exponential: apart, they are 0 times infinity.
    return logistic + (F.logsigmoid(margin / discopop_tau) - margin).exp()


def smoothed_logistic(margin: Tensor, label_smoothing: float) -> Tensor:
    """-log sigma(margin), the labels of a share `label_smoothing` flipped, of margins of any shape."""
    as_labelled = -F.logsigmoid(margin)
    if not label_smoothing:
        return as_labelled
    return (1 - label_smoothing) * as_labelled - label_smoothing * F.logsigmoid(-margin)
