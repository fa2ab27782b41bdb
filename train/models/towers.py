"""Vision-language models: trained on text, saved with their towers and processor unchanged."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from pairwright.models.names import ADAPTER_CONFIG, base_of, is_adapter, resolve_model
from pairwright.models.quiet import quiet
from pairwright.models.remote_code import own_code
from pairwright.models.weights import as_usage_error

_PROCESSOR = ("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json")
"""Files of what makes pictures into numbers, which no model and no tokenizer writes."""


def auto_class(place: str, name: str) -> Any:
    """Return the class that loads a language model with all of its folder, not its text part alone."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    with as_usage_error(name), quiet():
        config = AutoConfig.from_pretrained(place, **own_code())
    sees = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(config.model_type)
    return AutoModelForImageTextToText if sees in (config.architectures or ()) else AutoModelForCausalLM


def towers(model: Any) -> dict[str, nn.Module]:
    """Return the parts of a model that text does not use, by name; none for a text model."""
    if model.config.get_text_config() is model.config:
        return {}
    return dict(_beside(model, {model.get_decoder(), model.get_output_embeddings()}, ""))


def freeze_towers(model: Any) -> None:
    """Freeze the parts that text does not use."""
    for tower in towers(model).values():
        tower.requires_grad_(False)


def without_towers(model: Any) -> str | None:
    """Return a pattern of the modules that get no adapters, in `peft`'s form; None if there are none."""
    names = "|".join(map(re.escape, towers(model)))
    return rf"({names})(\..*)?" if names else None


def copy_processor(name: str, folder: Path) -> None:
    """Copy the files of a model's processor, if any, next to the model trained from it."""
    from transformers.utils import cached_file

    if (folder / ADAPTER_CONFIG).is_file():
        return  # its base has them
    place = resolve_model(name)
    place = base_of(place) if is_adapter(place) else place
    for file in _PROCESSOR:
        found = cached_file(
            place,
            file,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        if found is not None:
            shutil.copyfile(found, folder / file)


def _beside(module: nn.Module, text: set[nn.Module | None], prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, part in module.named_children():
        if part in text:
            continue
        if any(inner in text for inner in part.modules()):
            yield from _beside(part, text, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part
