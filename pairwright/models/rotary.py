"""Rotary embeddings that depend on the longest sequence of a pass: which sequences may share one.

`dynamic` and `longrope` (and PhiMoE's scales) choose their frequencies by the highest position in a forward
pass, so next to a longer sequence a short one gets another model's numbers. A sequence by itself is right;
only sequences of one regime may share a pass.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import nn

Regime = Callable[[int], int]
"""From the tokens of a sequence to a number; sequences of the same number may share a pass."""


def regime_of(model: nn.Module) -> Regime:
    """Return the function from a length to the regime of a model's rotary embeddings.

    It is constant if they do not depend on the length.
    """
    found = [(kind, most) for module in model.modules() for kind, most in _looking(module)]
    if not found:
        return lambda length: 0
    grows = min((most for kind, most in found if kind == "dynamic"), default=None)
    steps = sorted({most for kind, most in found if kind == "longrope"})

    def regime(length: int) -> int:
        if grows is not None and length > grows:
            return length
        return -sum(length > most for most in steps)

    return regime


def without_memory(model: nn.Module) -> None:
    """Make `dynamic` frequencies depend on the pass at hand alone, and not on the longest one so far."""
    for module in model.modules():
        if any(kind == "dynamic" for kind, _ in _looking(module)) and not hasattr(module, "_forgets"):
            module._forgets = True  # type: ignore[assignment]
            module.register_forward_pre_hook(_forget)


def _looking(module: nn.Module) -> Iterator[tuple[str, int]]:
    """The kinds of a module's embeddings that look at lengths, and the longest that each takes as short."""
    kinds, config = getattr(module, "rope_type", None), getattr(module, "config", None)
    if kinds is None or config is None:
        return
    by_layer = isinstance(kinds, Mapping)
    for layer, kind in kinds.items() if by_layer else ((None, kinds),):
        settings = config.rope_parameters[layer] if by_layer else config.rope_parameters
        if "dynamic" in kind:
            yield "dynamic", int(config.max_position_embeddings)
        elif kind == "longrope" or "long_mscale" in settings:
            yield "longrope", int(settings["original_max_position_embeddings"])


def _forget(module: Any, args: Any) -> None:
    layers = module.rope_type if isinstance(module.rope_type, Mapping) else ("",)
    for prefix in (f"{layer}_" if layer else "" for layer in layers):
        if (original := getattr(module, f"{prefix}original_inv_freq", None)) is not None:
            device = getattr(module, f"{prefix}inv_freq").device
            module.register_buffer(f"{prefix}inv_freq", original.to(device), persistent=False)
        setattr(module, f"{prefix}max_seq_len_cached", module.original_max_seq_len)
