"""The parts of a `transformers` model, inside its wrappers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from pairwright.errors import UsageError
from pairwright.models.weights import first_line


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the `transformers` model inside the wrappers of processes and adapters."""
    inner: Any = getattr(model, "module", model)
    if hasattr(inner, "get_base_model"):
        inner = inner.get_base_model()
    whole: nn.Module = inner
    return whole


@contextmanager
def running_on_text(model: nn.Module) -> Iterator[None]:
    """Open a block in which a model that wants more than tokens, such as pictures, is refused."""
    try:
        yield
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{type(unwrapped(model)).__name__} does not run on text alone, as it has to in training: "
            f"{first_line(error)}"
        ) from error


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
