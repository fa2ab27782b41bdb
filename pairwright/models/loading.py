"""A model and its tokenizer, loaded for generation or for scoring."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from pairwright.errors import UsageError
from pairwright.models.names import base_and_adapter, base_of, find_model, is_adapter, resolve_model
from pairwright.models.positions import positions_of
from pairwright.models.quiet import quiet
from pairwright.models.remote_code import own_code
from pairwright.models.weights import as_usage_error, read_adapter, read_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

CLASSIFIER = "ForSequenceClassification"
"""How the names of architectures end that give scores."""
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model")


class Loaded(NamedTuple):
    """A model in eval mode on its device, and its tokenizer."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    @property
    def context(self) -> int | None:
        """Most tokens that the model can hold, if it says so."""
        said = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        looked_up = positions_of(self.model)
        return said if looked_up is None else looked_up

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that the model itself and its tokenizer name as ends."""
        named = self.model.generation_config.eos_token_id
        ids = named if isinstance(named, list) else [named]
        return frozenset(i for i in (*ids, self.tokenizer.eos_token_id) if i is not None)


def load_for_generation(
    name: str, dtype: str = "auto", device: str = "auto", *, adapter: str = ""
) -> Loaded:
    """Return the model that `resolve_model` takes `name` for; an adapter stays apart on its base.

    `adapter` is the folder of one that is put on `name`; empty for none.

    Raises `UsageError` if it cannot be loaded whole, or if it keeps a state instead of keys and values,
    which cannot be batched with padding.
    """
    (source, on), place = base_and_adapter(name, adapter), _device(device)
    tokenizer = load_tokenizer(name)
    model = read_model(AutoModelForCausalLM, source, name, dtype=dtype)
    if on:
        model = read_adapter(model, on, adapter or name).get_base_model()
    if model._is_stateful:
        raise UsageError(f"{name} is a recurrent model; run it on a server (openai:MODEL@URL).")
    return _placed(model, tokenizer, place, dtype)


def load_for_scoring(name: str, dtype: str = "auto", device: str = "auto") -> Loaded:
    """Load the reward model that `resolve_model` finds for a name. Raises `UsageError` for other models."""
    source, place = resolve_model(name), _device(device)
    require_reward_model(source, name)
    tokenizer = load_tokenizer(name)
    model = read_model(AutoModelForSequenceClassification, source, name, dtype=dtype)
    require_head(model, name)
    if tokenizer.vocab_size > (rows := model.get_input_embeddings().num_embeddings):
        raise UsageError(
            f"{name}: its tokenizer knows {tokenizer.vocab_size:,} tokens and its weights {rows:,}; "
            "they are not of one model"
        )
    for settings in (model.config, model.config.get_text_config()):
        if settings.pad_token_id is None:
            settings.pad_token_id = 0  # it refuses batches without one; what it reads there is not used
    return _placed(model, tokenizer, place, dtype)


def load_tokenizer(name: str) -> "PreTrainedTokenizerBase":
    """Return the tokenizer of a model, an adapter or its base. Raises `UsageError` if there is none."""
    place = find_model(name)
    with as_usage_error(name), quiet():
        if is_adapter(place) and not any((Path(place) / file).is_file() for file in _TOKENIZERS):
            place = base_of(place)
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(place, **own_code())
    return tokenizer


def require_reward_model(place: str, name: str) -> None:
    """Raise `UsageError` unless the model is a sequence classifier of one label."""
    if is_adapter(place):
        raise UsageError(
            f"{name} is an adapter, and no reward model: pairwright reward --model makes one of it"
        )
    with as_usage_error(name), quiet():
        config = AutoConfig.from_pretrained(place, **own_code())
    kind = next(iter(config.architectures or ()), "a model of no name")
    if not kind.endswith(CLASSIFIER):
        raise UsageError(
            f"{name}: holds {kind}, which gives no scores; train a reward model from it first: "
            f"pairwright reward --model {name} --data PAIRS --output_dir DIR"
        )
    if config.num_labels != 1:
        raise UsageError(f"{name}: a classifier of {config.num_labels} labels; a reward model has one")


def require_head(model: Any, name: str) -> None:
    """Raise `UsageError` unless the model reads its reward off one token."""
    if not isinstance(getattr(model, "score", None), torch.nn.Linear):
        raise UsageError(f"{name}: {type(model).__name__} has no head that reads one token")


def _placed(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    device: torch.device,
    dtype: str,
) -> Loaded:
    if device.type == "cpu":
        warn_where_slow(dtype, "--dtype")
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


def fastest_dtype() -> str:
    """Return the number format in which models answer fastest here: `bfloat16` or `float32`."""
    return "bfloat16" if torch.cuda.is_available() or _bfloat16_is_fast() else "float32"


def warn_where_slow(dtype: str, flag: str) -> None:
    """Say that this processor has no products in a number format, which a flag asked for."""
    if dtype in ("bfloat16", "float16") and torch.backends.cpu.get_cpu_capability() == "AVX2":
        log.warning(
            "this processor has no products in %s and takes ten times as long as in float32, or longer; "
            "leave %s out",
            dtype,
            flag,
        )


def _bfloat16_is_fast() -> bool:
    """Whether this CPU multiplies bfloat16 as fast as float32; AVX2 takes many times as long."""
    return torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "SVE"))
