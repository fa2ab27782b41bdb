"""Weights that make off-policy pairs count as if the policy had sampled them."""

from torch import Tensor


def wpo_weight(alignment_w: Tensor, alignment_l: Tensor) -> Tensor:
    """Weighted preference optimisation: how likely the policy would be to say both answers, (B,).

    exp(a_w) exp(a_l),  a = 1 / |y| sum_t (log pi(y_t) - log sum_v pi(v)^2)

    Zhou et al. 2024, eq. 2 with their sampled alignment, https://arxiv.org/abs/2406.11827. It has no
    gradient, and is about 1 for answers that the policy would have sampled itself.
    """
    return (alignment_w + alignment_l).detach().exp()
