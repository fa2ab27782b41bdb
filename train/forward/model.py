"""The parts of a `transformers` model, inside its wrappers."""

from typing import Any

from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the `transformers` model inside the wrappers of processes and adapters."""
    inner: Any = getattr(model, "module", model)
    if hasattr(inner, "get_base_model"):
        inner = inner.get_base_model()
    whole: nn.Module = inner
    return whole


def backbone(model: nn.Module) -> nn.Module:
    """Return the part of a model that makes hidden states.

    A model may name a part that it has not got (Llama 4, for text alone); then it is the one below it
    that is a model by itself.
    """
    from transformers import PreTrainedModel

    inner = unwrapped(model)
    base: nn.Module = getattr(inner, "base_model", inner)
    if base is inner:
        base = next((part for part in inner.children() if isinstance(part, PreTrainedModel)), inner)
    return base
