"""How a mixture of experts routes the tokens of answers.

    A  answers    L  layers that route    T  tokens of a pass    E  experts

The load-balancing loss of Fedus et al. 2021, eq. 4 to 6, https://arxiv.org/abs/2101.03961, is
E * sum_e F_e P_e: shares of tokens that go to an expert, and mean probabilities of it. F has no gradient,
so once it is known of an update, the loss is a sum over tokens, and every pass adds its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pairwright.errors import UsageError
from train.forward.answers import Padded
from train.forward.layout import LaidOut
from train.forward.model import backbone, unwrapped
from train.forward.trees import Forest

_ASKED = "output_router_logits"


class Routing(NamedTuple):
    """Where the tokens of a pass go, all layers and all asked answers counted together."""

    chosen_E: Tensor
    """Times that each expert is chosen; no gradient."""
    probabilities_E: Tensor
    """Sum of its probabilities, with gradients."""
    tokens: Tensor
    """Tokens that were routed."""


def experts_of(model: nn.Module) -> tuple[int, int]:
    """Return how many experts a layer has and a token goes to. Raises `UsageError` for a dense model."""
    config = _settings(model)
    names = ("num_local_experts", "num_experts", "n_routed_experts")
    number = next((found for name in names if (found := getattr(config, name, None))), None)
    chosen = getattr(config, "num_experts_per_tok", None)
    if number is None or chosen is None or not hasattr(config, _ASKED):
        raise UsageError(
            f"{type(unwrapped(model)).__name__} has no router logits: leave out --router_aux_loss_coef"
        )
    return int(number), int(chosen)


def _settings(model: nn.Module) -> Any:
    whole: Any = unwrapped(model)
    return whole.config.get_text_config()


@contextmanager
def routers(model: nn.Module) -> Iterator[list[tuple[Tensor, ...]]]:
    """Open a block in which the router logits of every pass are kept, a tensor (T, E) a layer."""
    heard: list[tuple[Tensor, ...]] = []
    config = _settings(model)

    def listen(module: nn.Module, args: object, output: Any) -> None:
        heard.append(tuple(output["router_logits"]))

    before, handle = getattr(config, _ASKED), backbone(model).register_forward_hook(listen)
    setattr(config, _ASKED, True)
    try:
        yield heard
    finally:
        setattr(config, _ASKED, before)
        handle.remove()


def routing_of(logits: Sequence[Tensor], out: LaidOut, answers: int, chosen: int) -> Routing:
    """Return which experts a pass's tokens go to.

    Tokens of a shared prompt count once for each answer to it.
    """
    weight_T = sequences_of(out, answers).float()
    number = logits[0].shape[-1]
    chosen_E = weight_T.new_zeros(number)
    probabilities_E = weight_T.new_zeros(number)
    for logits_TE in logits:
        spread_TE = logits_TE.softmax(-1)
        picked_TK = spread_TE.detach().topk(chosen, -1).indices
        chosen_E = chosen_E.index_add(0, picked_TK.flatten(), weight_T.repeat_interleave(chosen))
        probabilities_E = probabilities_E + weight_T @ spread_TE.float()
    return Routing(chosen_E, probabilities_E, weight_T.sum() * len(logits))


def sequences_of(out: LaidOut, answers: int) -> Tensor:
    """Return in how many of the asked sequences each token of a pass stands (T,); 0 for padding."""
    laid, device = out.laid, out.laid.tokens_A.device
    order = torch.arange(answers, device=device) if out.order_A is None else out.order_A
    times_A = torch.bincount(order, minlength=len(laid.tokens_A))
    if isinstance(laid, Padded):
        return (laid.mask_AT * times_A[:, None]).flatten()
    assert isinstance(laid, Forest)
    found_T, first = times_A.new_zeros(laid.layout.tokens), 0
    for span in laid.layout.spans:
        branches = span.branches()
        found_T[span.start : span.fork] = times_A[first : first + len(branches)].sum()
        for place, (start, end) in enumerate(branches, start=first):
            found_T[start:end] = times_A[place]
        first += len(branches)
    return found_T
