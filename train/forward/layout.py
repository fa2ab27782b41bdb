"""How a model is run on answers: as trees where that is exact, else as padded sequences.

    A  answers

Whether trees are exact is not read off a list of architectures but tried, once, on each model: state
spaces, attention sinks, soft caps inside attention or absolute positions show up as a difference.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from transformers.utils import ModelOutput

from train.forward.answers import Answer, Layout, collate
from train.forward.attention import BY_BLOCKS, BY_TREE, backends
from train.forward.trees import plant, trees_of

log = logging.getLogger(__name__)

_ALIKE = {torch.float32: 1e-3, torch.float64: 1e-3}
_ALIKE_COARSE = 0.1
"""Most difference of hidden states, as a share of their size, that rounding explains."""


class TreeSupport(NamedTuple):
    """How a model can be run."""

    trees: bool
    reach: int
    """Tokens that its shortest attention window spans; a longer tree is not exact."""
    why: str
    """Why not as trees; empty where it can be."""


_SUPPORT: "WeakKeyDictionary[nn.Module, TreeSupport]" = WeakKeyDictionary()


class LaidOut(NamedTuple):
    """Answers laid out for a model."""

    laid: Layout
    order_A: Tensor | None
    """The place of each asked answer among those laid out; None where it is its own."""

    def in_order(self, values_A: Tensor) -> Tensor:
        """Values of laid answers, in the order in which answers were asked for."""
        return values_A if self.order_A is None else values_A[self.order_A]


def lay_out(model: nn.Module, answers: Sequence[Answer]) -> LaidOut:
    """Answers as this model takes them best, on its device."""
    device = next(model.parameters()).device
    way = tree_support(model)
    if way.trees:
        trees, order = trees_of(answers)
        if max(tree.longest for tree in trees) <= way.reach:
            return LaidOut(moved(plant(trees), device), torch.tensor(order).to(device))
    return LaidOut(moved(collate(answers), device), None)


def tree_support(model: nn.Module) -> TreeSupport:
    """How this model can be run; found out when it is first asked."""
    inner = unwrapped(model)
    if inner not in _SUPPORT:
        _SUPPORT[inner] = way = _try_out(model)
        if way.why:
            log.warning("%s runs on padded sequences: %s", type(inner).__name__, way.why)
    return _SUPPORT[inner]


def unwrapped(model: nn.Module) -> nn.Module:
    """The model of `transformers` under whatever wraps it: processes, adapters."""
    inner: Any = getattr(model, "module", model)
    if hasattr(inner, "get_base_model"):
        inner = inner.get_base_model()
    whole: nn.Module = inner
    return whole


def backbone(model: nn.Module) -> nn.Module:
    """The part of a model that makes hidden states."""
    inner = unwrapped(model)
    base: nn.Module = getattr(inner, "base_model", inner)
    return base


@contextmanager
def only(base: nn.Module, laid: Layout) -> Iterator[None]:
    """Within it, `base` gives out hidden states (1, N, width): those that predict answer tokens."""

    def cut(module: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(output, ModelOutput) and "last_hidden_state" in output:
            hidden = output["last_hidden_state"]
            output["last_hidden_state"] = hidden[laid.rows_N, laid.columns_N][None]
        return output

    handle = base.register_forward_hook(cut)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def _try_out(model: nn.Module) -> TreeSupport:
    """Compare hidden states of a small forest with those of its answers one by one."""
    inner: Any = unwrapped(model)
    # Models made from one configuration share it, so an earlier one may have set it.
    before = inner.config._attn_implementation
    before = "sdpa" if before in (BY_TREE, BY_BLOCKS) else before
    if before != "sdpa":
        return TreeSupport(False, 0, f"its attention is {before}, not sdpa")
    device = next(inner.parameters()).device
    answers = _samples(inner.config.get_text_config().vocab_size)
    trees, order = trees_of(answers)
    padded, forest = moved(collate(answers), device), moved(plant(trees), device)
    why = ""
    for name in backends(device):
        inner.set_attn_implementation(before)
        try:
            expected = _last_states(model, padded)
            inner.set_attn_implementation(name)
            found = _last_states(model, forest)[order]
        except (TypeError, ValueError, NotImplementedError, RuntimeError) as error:
            why = f"it does not take a tree ({str(error).splitlines()[0][:120]})"
            continue
        error_A = (found - expected).norm(dim=1) / expected.norm(dim=1)
        # Weights that are not finite tell nothing here, and stop the run soon.
        if not error_A.max() > _ALIKE.get(expected.dtype, _ALIKE_COARSE):
            log.info("%s runs on trees: %s", type(inner).__name__, name)
            return TreeSupport(True, _reach(inner.config.get_text_config()), "")
        why = "a token of one branch sees another, or its place in the forest"
    inner.set_attn_implementation(before)
    return TreeSupport(False, 0, why)


def _last_states(model: nn.Module, laid: Layout) -> Tensor:
    """The hidden state at the last token of each answer, (A, width).

    The backbone runs by itself, so that no number format which a wrapper brings blurs the comparison.
    Where its weights are parts, the whole model is run and its backbone listened to: the wrapper has
    to bring them together.
    """
    heard: list[Tensor] = []

    def listen(module: nn.Module, args: Any, output: Any) -> None:
        states = output.last_hidden_state[laid.rows_A, laid.columns_A]
        blurred = torch.is_autocast_enabled(states.device.type)
        heard.append(states.to(torch.get_autocast_dtype(states.device.type)) if blurred else states)

    handle = backbone(model).register_forward_hook(listen)
    try:
        sharded = any(isinstance(part, FSDPModule) for part in model.modules())
        whole = model if sharded else backbone(model)
        whole(**laid.inputs, use_cache=False)
    finally:
        handle.remove()
    return heard[-1]


def _samples(vocab_size: int) -> list[Answer]:
    """Two prompts with three and two answers, of which two begin alike."""
    random = np.random.default_rng(0)

    def ids(count: int) -> Any:
        return random.integers(0, vocab_size, count, dtype=np.int32)

    first, second, opening = ids(7), ids(4), ids(3)
    return [
        *(Answer(first, ids(count)) for count in (2, 5, 3)),
        *(Answer(second, np.concatenate([opening, ids(count)])) for count in (4, 1)),
    ]


def _reach(config: Any) -> int:
    """The shortest attention window of any layer."""
    unlimited: int = torch.iinfo(torch.int64).max
    window = getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None)
    kinds = getattr(config, "layer_types", None)
    slides = (
        any("full" not in kind for kind in kinds) if kinds else getattr(config, "use_sliding_window", True)
    )
    return window if window and slides else unlimited


def moved(laid: Any, device: torch.device) -> Any:
    """Its tensors on a device."""
    parts = (p.to(device, non_blocking=True) if isinstance(p, Tensor) else p for p in laid)
    return type(laid)(*parts)
