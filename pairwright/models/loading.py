"""A model and its tokenizer, loaded for generation or for scoring."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from pairwright.errors import UsageError
from pairwright.models.names import resolve_model
from pairwright.models.quiet import quiet

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


def load_for_generation(name: str, dtype: str = "auto", device: str = "auto") -> Loaded:
    """The model that `resolve_model` takes `name` for.

    Raises `UsageError` if it cannot be loaded, or if it keeps a state instead of keys and values,
    which cannot be batched with padding.
    """
    source, place = resolve_model(name), _device(device)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise UsageError(f"{name} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    if model._is_stateful:
        raise UsageError(f"{name} is a recurrent model; run it on a server (openai:MODEL@URL).")
    return _placed(model, tokenizer, place, dtype)


def load_for_scoring(name: str, dtype: str = "auto", device: str = "auto") -> Loaded:
    """The reward model that `resolve_model` takes `name` for. Raises `UsageError` when it is none."""
    source, place = resolve_model(name), _device(device)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(source)
            kind = next(iter(config.architectures or ()), "a model of no name")
            if not kind.endswith("ForSequenceClassification") or config.num_labels != 1:
                raise UsageError(
                    f"{name}: holds {kind}, which is no reward model (a sequence classifier of one label); "
                    "pairwright reward makes one"
                )
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = AutoModelForSequenceClassification.from_pretrained(source, dtype=dtype)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise UsageError(f"{name} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    if not isinstance(getattr(model, "score", None), torch.nn.Linear):
        raise UsageError(f"{name}: {type(model).__name__} has no head that reads one token")
    for settings in (model.config, model.config.get_text_config()):
        if settings.pad_token_id is None:
            settings.pad_token_id = 0  # it refuses batches without one; what it reads there is not used
    return _placed(model, tokenizer, place, dtype)


def _placed(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    device: torch.device,
    dtype: str,
) -> Loaded:
    if dtype == "auto" and device.type == "cpu" and not _bfloat16_is_fast():
        model = model.float()
    return Loaded(model.to(device).eval(), tokenizer)


def _device(name: str) -> torch.device:
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
