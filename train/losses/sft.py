"""The SFT term of RPO, which regularises any loss: the likelihood of the chosen answer.

`logps_w` (B,) are sums in nats of the policy alone, `tokens_w` (B,) the tokens they sum over.
"""

from collections.abc import Callable, Mapping

from torch import Tensor


def nll_sum(logps_w: Tensor, tokens_w: Tensor) -> Tensor:
    """SFT term per chosen answer (B,): minus its log-probability, long answers weigh more.

    As in the official RPO runs on chat: Liu et al. 2024, eq. 4.8, https://arxiv.org/abs/2405.16436
    """
    return -logps_w


def nll_mean(logps_w: Tensor, tokens_w: Tensor) -> Tensor:
    """SFT term per chosen answer (B,): minus the mean log-probability of its own tokens.

    The mean is within the answer and so does not depend on how a batch is cut. Liu et al. 2024,
    the authors' second implementation, https://github.com/YSLIU627/RPO
    """
    return -logps_w / tokens_w


SFT_REDUCTIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": nll_sum,
    "mean": nll_mean,
}
