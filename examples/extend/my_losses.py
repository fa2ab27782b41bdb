"""A loss of your own: `pairwright train … --loss examples/extend/my_losses.py:hinge`."""

from torch import Tensor


def hinge(delta_w: Tensor, delta_l: Tensor, *, beta: float) -> Tensor:
    """max(0, 1 - beta (delta_w - delta_l)) of each pair, (B,): SLiC-HF's, Zhao et al. 2023, eq. 7.

    `delta_w` and `delta_l`, (B,), are log-ratios of chosen and rejected against the reference, in nats.
    """
    return (1 - beta * (delta_w - delta_l)).relu()
