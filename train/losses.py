"""Preference losses as pure functions of completion log-ratios.

    delta_w = log pi(y_w|x) - log pi_ref(y_w|x)    chosen   (winner)
    delta_l = log pi(y_l|x) - log pi_ref(y_l|x)    rejected (loser)
    r = beta * delta                               reward
    B                                              pairs in a batch

Log-probabilities are in nats, summed over the answer's tokens, the end-of-sequence token included.
Every pairwise loss maps (delta_w, delta_l), each of shape (B,), to per-pair losses of shape (B,).
Nothing is detached, nothing is reduced: the mean over pairs, metrics and logging are the caller's.

`apo_*` is *anchored* preference optimisation; the adversarial method of the same initials is a game
between models, not a loss.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class PairwiseFormula(Protocol):
    """(delta_w, delta_l), each (B,), to losses (B,)."""

    def __call__(self, delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor: ...


def dpo(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """Direct preference optimisation: -log sigma(r_w - r_l).

    Rafailov et al. 2023, eq. 7, https://arxiv.org/abs/2305.18290
    Only the difference matters: chosen and rejected may both fall.
    """
    return -F.logsigmoid(beta * (delta_w - delta_l))


def cdpo(delta_w: Tensor, delta_l: Tensor, *, beta: float, label_smoothing: float) -> Tensor:
    """DPO when a share `label_smoothing` (below 1/2) of the preferences is the wrong way round.

    (1 - eps) * -log sigma(r_w - r_l) + eps * -log sigma(r_l - r_w)

    Mitchell 2023, eq. 3, https://ericmitchell.ai/cdpo.pdf
    """
    as_labelled = dpo(delta_w, delta_l, beta=beta)
    flipped = dpo(delta_l, delta_w, beta=beta)
    return (1 - label_smoothing) * as_labelled + label_smoothing * flipped


def ipo(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """Identity preference optimisation: (delta_w - delta_l - 1 / (2 beta))^2; `beta` is their tau.

    Azar et al. 2023, eq. 17, https://arxiv.org/abs/2310.12036
    The target margin does not grow with the answers, so `train` passes log-ratios per token here,
    as TRL does on the authors' word; on sums the square would weigh pairs by their length.
    """
    return (delta_w - delta_l - 1 / (2 * beta)) ** 2


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


def nll_sum(logps_w: Tensor, tokens_w: Tensor) -> Tensor:
    """SFT term per chosen answer (B,): minus its log-probability, long answers weigh more.

    As in the official RPO runs on chat: Liu et al. 2024, eq. 4.8, https://arxiv.org/abs/2405.16436
    `logps_w` (B,) are sums in nats of the policy alone, `tokens_w` (B,) the tokens they sum over.
    """
    return -logps_w


def nll_mean(logps_w: Tensor, tokens_w: Tensor) -> Tensor:
    """SFT term per chosen answer (B,): minus the mean log-probability of its own tokens.

    The mean is within the answer and so does not depend on how a batch is cut. Liu et al. 2024,
    the authors' second implementation, https://github.com/YSLIU627/RPO
    """
    return -logps_w / tokens_w


class PairLoss(NamedTuple):
    """A formula under the name it has on the command line."""

    formula: PairwiseFormula
    at_reference: Callable[[float], float]
    """Its value where policy and reference agree, given beta."""
    per_token: bool = False
    """Whether it takes log-ratios per token instead of sums."""


LOSSES: Mapping[str, PairLoss] = {
    "dpo": PairLoss(dpo, lambda beta: math.log(2)),
    "ipo": PairLoss(ipo, lambda beta: 1 / (4 * beta**2), per_token=True),
    "apo_zero": PairLoss(apo_zero, lambda beta: 1.0),
    "apo_down": PairLoss(apo_down, lambda beta: 1.0),
    "apo_zero_unpaired": PairLoss(apo_zero_halves, lambda beta: 0.5),
}
SFT_REDUCTIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": nll_sum,
    "mean": nll_mean,
}


def ranking(rewards_w: Tensor, rewards_l: Tensor, margin: Tensor) -> Tensor:
    """Bradley–Terry: -log sigma(r_w - r_l - margin), (B,). With margin 0 it is L_rank of the paper."""
    return -F.logsigmoid(rewards_w - rewards_l - margin)


def wgan(rewards_w: Tensor, rewards_l: Tensor) -> Tensor:
    """Difference of rewards: -(r_w - r_l), (B,), as in the paper's eq. 14; it has no lower bound."""
    return rewards_l - rewards_w


class Orders(NamedTuple):
    """Every two answers to one prompt with different scores."""

    better_O: Tensor
    worse_O: Tensor
    item_O: Tensor


def rrhf(per_token_A: Tensor, orders: Orders, items: int) -> Tensor:
    """Sum of max(0, p_worse - p_better) over the ordered pairs of each prompt, (B,)."""
    hinges_O = (per_token_A[orders.worse_O] - per_token_A[orders.better_O]).relu()
    return hinges_O.new_zeros(items).index_add(0, orders.item_O, hinges_O)
