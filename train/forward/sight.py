"""What the hidden states of a model depend on: tokens that a state must not see have no gradient in it.

    A  answers    W  width of a hidden state

A gradient is 0, and nothing but 0, where there is no dependence, however little there would be otherwise:
small weights and coarse numbers hide nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from train.forward.answers import Layout, Padded
from train.forward.model import backbone, unwrapped
from train.forward.trees import Forest

_NOTICED = 1e-6
"""Least gradient of later tokens, as a share of that of a state's own, that rounding does not explain."""


def last_states(model: nn.Module, laid: Layout) -> Tensor:
    """Return the hidden state at the last token of each answer, (A, W)."""
    return _states(model, laid)[laid.rows_A, laid.columns_A]


def leaks(model: nn.Module, forest: Forest) -> bool:
    """Return whether an answer's last state depends on a token that is not in its trunk or its branch."""
    with _held(model) as held:
        values_A = _weighed(last_states(model, forest))
        trees, branches = forest.layout.segments()
        for answer, last in enumerate(forest.columns_A.tolist()):
            (grad,) = torch.autograd.grad(values_A[answer], held, retain_graph=True)
            own = (trees == trees[last]) & ((branches == 0) | (branches == branches[last]))
            if grad[0].cpu()[torch.from_numpy(~own)].any():
                return True
    return False


def sees_ahead(model: nn.Module, padded: Padded) -> bool:
    """Return whether the states of sequences depend on tokens that come after them."""
    with _held(model) as held:
        states_ATW = _states(model, padded)
        middle = int(padded.columns_A.min()) // 2
        (grad,) = torch.autograd.grad(_weighed(states_ATW[:, middle]).sum(), held)
        sizes_AT = grad.float().norm(dim=2)
    return bool(sizes_AT[:, middle + 1 :].max() > _NOTICED * sizes_AT[:, : middle + 1].max())


def _states(model: nn.Module, laid: Layout) -> Tensor:
    """The hidden states at all tokens.

    The backbone runs by itself, so that no number format which a wrapper brings blurs the comparison.
    Where its weights are parts, the whole model is run and its backbone listened to: the wrapper has
    to bring them together.
    """
    heard: list[Tensor] = []

    def listen(module: nn.Module, args: Any, output: Any) -> None:
        heard.append(output.last_hidden_state)

    handle = backbone(model).register_forward_hook(listen)
    try:
        sharded = any(isinstance(part, FSDPModule) for part in model.modules())
        whole = model if sharded else backbone(model)
        whole(**laid.inputs, use_cache=False)
    finally:
        handle.remove()
    return heard[-1]


@contextmanager
def _held(model: nn.Module) -> Iterator[list[Tensor]]:
    """Within it gradients are computed, and the embedded tokens of every forward pass are kept for them."""
    inner: Any = unwrapped(model)
    held: list[Tensor] = []

    def hold(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        held.append(output.detach().requires_grad_())
        return held[-1].clone()  # it may be changed in place

    handle = inner.get_input_embeddings().register_forward_hook(hold)
    try:
        with torch.enable_grad():
            yield held
    finally:
        handle.remove()


def _weighed(states_AW: Tensor) -> Tensor:
    """One number of each state, in which all that is in it has a part."""
    weights_W = torch.randn(states_AW.shape[1], generator=torch.Generator().manual_seed(0))
    return states_AW @ weights_W.to(states_AW)
