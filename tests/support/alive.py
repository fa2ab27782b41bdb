"""Which models are in memory."""

import gc
from functools import cache

from transformers import PreTrainedModel


def models_in_memory() -> list[PreTrainedModel]:
    """Every model that is not garbage."""
    gc.collect()
    return [found for found in gc.get_objects() if _is_model(type(found))]


@cache
def _is_model(kind: type) -> bool:
    return issubclass(kind, PreTrainedModel)
