"""Learned positions: how many tokens a model can hold because its position table has a row for each.

GPT-2, OPT and their kin look positions up; a position beyond the table is an `IndexError`, and on a GPU
the end of the process. The table is found in the model itself, not by a list of names.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pairwright.errors import UsageError
from pairwright.models.names import base_of, is_adapter, resolve_model
from pairwright.models.quiet import quiet
from pairwright.models.remote_code import own_code
from pairwright.models.weights import as_usage_error

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_STRETCHED = ("linear", "dynamic", "yarn")
"""Kinds of rotary positions that are stretched by a factor when the model runs."""
_RESERVED = 8
"""Most rows that a table has beyond its positions: OPT's first two mean padding."""


def learned_positions(name: str) -> int | None:
    """Return the number of positions in a model's learned tables; None if it has no tables.

    The model is built without weights. Raises `UsageError` if its folder cannot be read.
    """
    place = resolve_model(name)
    place = base_of(place) if is_adapter(place) else place
    return _learned(str(Path(place).resolve()) if Path(place).is_dir() else place)


def trained_positions(name: str) -> int | None:
    """Return how many tokens a model was made for, by its configuration; None where that says nothing.

    Rotary positions go on beyond, where the model has learned nothing. What stretches them counts.
    """
    from transformers import AutoConfig

    place = resolve_model(name)
    place = base_of(place) if is_adapter(place) else place
    with as_usage_error(place), quiet():
        config = AutoConfig.from_pretrained(place, **own_code()).get_text_config()
    most = getattr(config, "max_position_embeddings", None)
    if not isinstance(most, int):
        return None
    rope = getattr(config, "rope_parameters", None)
    rope = rope if isinstance(rope, dict) else {}
    stretched = (
        rope.get("rope_type") in _STRETCHED and rope.get("original_max_position_embeddings", most) == most
    )
    return int(most * rope.get("factor", 1)) if stretched else most


@lru_cache(maxsize=8)
def _learned(place: str) -> int | None:
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    with as_usage_error(place), quiet():
        config = AutoConfig.from_pretrained(place, **own_code()).get_text_config()
    try:
        with torch.device("meta"), quiet():
            # A model of its own code is under the name of its task; looked for under another, transformers
            # would import every model that it has.
            kind = AutoModel if config.model_type in MODEL_MAPPING_NAMES else AutoModelForCausalLM
            model = kind.from_config(config, **own_code())
    except (UsageError, ValueError, TypeError, NotImplementedError, RuntimeError, ImportError):
        # Code of a model's own raises what it likes, `NotImplementedError` too; whoever loads it says why.
        return None
    return positions_of(model)


def positions_of(model: "PreTrainedModel") -> int | None:
    """Return the number of tokens that a model has positions for; None where none are looked up."""
    most = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(_limits(model, most), default=None) if isinstance(most, int) else None


def _limits(model: Any, most: int) -> Iterator[int]:
    """What each table of about `most` rows leaves."""
    words = model.get_input_embeddings()
    for module in model.modules():
        if isinstance(module, nn.Embedding) and module is not words:
            rows, padding = module.num_embeddings, module.padding_idx
            if rows == most and padding is not None:
                yield most - padding - 1  # RoBERTa counts from the row after that of padding
            elif most <= rows <= most + _RESERVED:
                yield most
        for table in module.buffers(recurse=False):  # sines, computed once: GPT-J
            if table.dim() == 2 and table.is_floating_point() and len(table) == most:
                yield most
