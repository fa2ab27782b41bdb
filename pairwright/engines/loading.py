"""A causal language model and its tokenizer, loaded for generation."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from pairwright.engines.options import EngineOptions
from pairwright.engines.weights import quiet, resolve_model
from pairwright.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Loaded(NamedTuple):
    """A model in eval mode on its device, and its tokenizer."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    @property
    def context(self) -> int | None:
        """Most tokens that the model can hold, if it says so."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that the model itself and its tokenizer name as ends."""
        named = self.model.generation_config.eos_token_id
        ids = named if isinstance(named, list) else [named]
        return frozenset(i for i in (*ids, self.tokenizer.eos_token_id) if i is not None)


def load_for_generation(name: str, options: EngineOptions) -> Loaded:
    """The model that `resolve_model` takes `name` for.

    Raises `UsageError` if it cannot be loaded, or if it keeps a state instead of keys and values,
    which cannot be batched with padding.
    """
    source, device = resolve_model(name), device_of(options.device)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = AutoModelForCausalLM.from_pretrained(source, dtype=options.dtype)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise UsageError(f"{name} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    if model._is_stateful:
        raise UsageError(f"{name} is a recurrent model; run it on a server (openai:MODEL@URL).")
    if options.dtype == "auto" and device.type == "cpu" and not _bfloat16_is_fast():
        model = model.float()
    return Loaded(model.to(device).eval(), tokenizer)


def device_of(name: str) -> torch.device:
    """The device that `--device` names. Raises `UsageError` for one that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"{name!r} is no device; use auto, cpu, cuda or cuda:1.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"The device {name} is asked for, but torch sees no GPU.")
    return device


def _bfloat16_is_fast() -> bool:
    """Whether this CPU multiplies bfloat16 at least as fast as float32; AVX2 takes thrice as long."""
    return torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "SVE"))
