"""Language models: loaded for training, made deterministic, saved for `transformers` and `peft`."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig
from transformers.modeling_layers import GradientCheckpointingLayer

from pairwright.errors import PairwrightError, UsageError
from pairwright.models.fingerprint import fingerprint, save_tokenizer
from pairwright.models.names import base_of, is_adapter, resolve_model
from pairwright.models.quiet import quiet
from pairwright.models.remote_code import own_code
from pairwright.models.weights import as_usage_error, first_line, read_adapter, read_model
from train.config import TrainingConfig
from train.devices.sharded import reshard
from train.models.adapters import (
    began_anew,
    goes_on,
    is_adapted,
    scale_lora,
    with_adapter_of,
    with_new_adapters,
)
from train.models.four_bits import in_four_bits, is_packed, on_whole_weights, require_whole_weights
from train.models.towers import auto_class, freeze_towers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from train.data.split import Item


_RANDOM = ("drop", "jitter")
"""What the names of settings that make a forward pass random have in common."""


def model_identity(name: str) -> str:
    """Return the identity of a model: the hash of its folder, or its commit on the hub.

    That of an adapter is its own and its base's.
    """
    place = resolve_model(name)
    if is_adapter(place):
        return f"{fingerprint(Path(place))}+{model_identity(base_of(place))}"
    if Path(place).is_dir():
        return fingerprint(Path(place))
    with as_usage_error(name):
        return str(AutoConfig.from_pretrained(place, **own_code())._commit_hash)


def load_model(config: TrainingConfig, *, bf16: bool) -> Any:
    """Return the language model to train, with adapters if asked, as `made_trainable` describes."""
    trained_on = goes_on(config)

    def load(place: str, how: dict[str, Any]) -> Any:
        if trained_on:
            return with_adapter_of(place, _read(base_of(place), how, config.model), config.model)
        return load_merged(place, how, config.model)

    return made_trainable(load, config, bf16=bf16, task_type="CAUSAL_LM")


def made_trainable(
    load: Callable[[str, dict[str, Any]], Any], config: TrainingConfig, *, bf16: bool, task_type: str
) -> Any:
    """Return the model that `load` gives, with adapters if asked; nothing is random in its forward pass.

    `load` gets a place and what `from_pretrained` is told of it. Trained weights are float32: at usual
    learning rates most updates would be lost to the rounding of bfloat16. Weights that adapters leave
    alone are loaded as they are computed with, or in four bits. The model is on the CPU, unless these are.
    """
    torch.manual_seed(config.seed)
    place = resolve_model(config.model)
    trained_on = goes_on(config)
    # What is merged first stands in no folder, from which it could be read again with all its bits.
    adapted = trained_on or (config.lora_r and not is_adapter(place))
    frozen = torch.bfloat16 if bf16 and adapted else torch.float32
    how: dict[str, Any] = {"dtype": frozen}
    require_whole_weights(place, config.model)
    if config.load_in_4bit:
        how |= in_four_bits(config, frozen)
    model = load(place, how)
    if config.lora_r:
        model = with_new_adapters(model, config, task_type)
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if unlike := {p.dtype for p in trained(model).values()} - {torch.float32}:
        raise UsageError(
            f"{config.model}: trained weights must be float32, not {min(map(str, unlike))}; save it with "
            "`model.float().save_pretrained(DIR)` and give DIR (--bf16 still makes products faster)"
        )
    switch_randomness_off(model)
    return model


def switch_randomness_off(model: nn.Module) -> None:
    """Make every forward pass a function of weights and tokens, gradients and all.

    That is evaluation mode, in which models are used, and nothing else is changed: a number called
    jitter may be a threshold that counts there too. Layers that recompute their activations do so in
    training mode only, so they are put in it, where that is asked for, with their own probabilities at
    zero, and must then say what they say without (`UsageError` if not). Those in four bits turn, out of
    training mode, to kernels of a CPU that round to bfloat16 and pass no gradient on.
    """
    model.eval()
    for module in model.modules():
        module.training = is_packed(module)
    layers = [module for module in model.modules() if getattr(module, "gradient_checkpointing", False)]
    recomputing = [layer for layer in layers if isinstance(layer, GradientCheckpointingLayer)]
    if not recomputing:
        return
    expected = _said(model)
    for layer in recomputing:
        layer.training = True
        for name, value in list(vars(layer).items()):
            if isinstance(value, float) and any(word in name for word in _RANDOM):
                setattr(layer, name, 0.0)
    if not torch.equal(_said(model), expected):
        raise UsageError(
            f"{type(model).__name__} computes other numbers when it recomputes its activations: train "
            "without --gradient_checkpointing"
        )


@torch.no_grad()
def _said(model: Any) -> Tensor:
    """What a model says of a few tokens."""
    device = next(model.parameters()).device
    ids = torch.arange(8, device=device)[None] % model.config.get_text_config().vocab_size
    logits: Tensor = model(input_ids=ids, use_cache=False).logits
    return logits.nan_to_num()  # weights that are not finite stop the run soon


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that training changes, by name; shared ones once."""
    reshard(model)
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


@contextmanager
def as_reference(model: Any) -> Iterator[None]:
    """Open a block in which a model with newly begun adapters computes as its base does.

    Other models are their own reference before update 1.
    """
    with model.disable_adapter() if began_anew(model) else nullcontext():
        yield


def merged(model: Any, scale: float = 1.0) -> Any:
    """Return the model with its adapters, if any, merged into float32 weights as they are stored.

    Of what LoRA adds to a weight `scale` times as much is added.
    Weights that were packed, or rounded to be computed with, are read once more, so that those which no
    adapter touches come out bit for bit.
    """
    if not is_adapted(model):
        return model
    rounded = {p.dtype for p in model.parameters() if p.is_floating_point()} != {torch.float32}
    if rounded or any(is_packed(module) for module in model.modules()):
        model = on_whole_weights(model)
    scale_lora(model, scale)
    return merge(model)


def merge(model: Any) -> Any:
    """Return an adapted model with its adapters merged: its outputs are the same, its weights train.

    Where embeddings and head are one matrix and an adapter changes but one of them, they become two.
    """
    base = model.get_base_model()
    ends = (base.get_input_embeddings(), base.get_output_embeddings())
    words, head = (getattr(module, "base_layer", module) for module in ends)
    if head is not None and words is not head and words.weight is head.weight and (words, head) != ends:
        head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
        for settings in (base.config, base.config.get_text_config()):
            settings.tie_word_embeddings = False
    return model.merge_and_unload().requires_grad_(True)


def save_model(model: Any, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Write a folder that `transformers` loads, tokenizer and chat template with it.

    An adapted model is saved as its adapter, as `peft` does; it names its base.
    """
    for adapter in getattr(model, "peft_config", {}).values():
        if (base := Path(adapter.base_model_name_or_path or "/")).is_dir():
            adapter.base_model_name_or_path = str(base.absolute())
    try:
        with quiet():
            model.save_pretrained(folder)
            save_tokenizer(tokenizer, folder)
    except SafetensorError as error:
        raise PairwrightError(f"{folder}: the weights cannot be written ({first_line(error)})") from None
    (folder / "README.md").unlink(missing_ok=True)  # peft's empty card


def in_dtype(model: Any, dtype: str, name: str) -> Any:
    """Return the model with its weights in a number format; `auto` is that in which `name` is stored.

    The model itself is rounded, so it must not be trained further.
    """
    if dtype == "auto":
        place = resolve_model(name)
        place = base_of(place) if is_adapter(place) else place
        with as_usage_error(name), quiet():
            stored = AutoConfig.from_pretrained(place, **own_code()).get_text_config().dtype
        dtype = str(stored or torch.float32).removeprefix("torch.")
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(getattr(torch, dtype))
    return model


def load_weights(model: Any, folder: Path) -> None:
    """Put the trained weights that `save_model` wrote into a model of the same kind, bit for bit."""
    if is_adapted(model):
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))
        return
    saved = read_model(type(model), str(folder), str(folder), dtype=torch.float32)
    model.load_state_dict(saved.state_dict())


def require_vocabulary(model: Any, name: str, items: Iterable["Item"]) -> None:
    """Raise `UsageError`, naming a row, for a token that the model has no embedding of."""
    rows = model.get_input_embeddings().weight.shape[0]
    for item in items:
        highest = max(int(ids.max()) for ids in (item.prompt_tokens, *item.sides.values()))
        if highest >= rows:
            raise UsageError(
                f"{name}: its tokenizer gives row {item.row_id} the token id {highest}, and the model has "
                f"{rows} embeddings; use the tokenizer that belongs to the model, or to the adapter's base"
            )


def not_finite(tensors: dict[str, Tensor]) -> list[str]:
    """Return the names of tensors that hold an infinity or NaN. Looks at all of them with one host sync."""
    names = list(tensors)
    bad = torch.stack([~torch.isfinite(tensors[name]).all() for name in names])
    return [name for name, is_bad in zip(names, bad.tolist(), strict=True) if is_bad]


def load_base(name: str) -> Any:
    """Return a causal language model in float32, adapters merged, with gradients off."""
    return load_merged(resolve_model(name), {"dtype": torch.float32}, name).requires_grad_(False)


def load_merged(place: str, how: dict[str, Any], name: str) -> Any:
    """Return the causal language model in a folder; of an adapter's folder, its base with it merged in."""
    if not is_adapter(place):
        return _read(place, how, name)
    model = merge(read_adapter(_read(base_of(place), how, name), place, name))
    freeze_towers(model)
    return model


def _read(folder: str, how: dict[str, Any], name: str) -> Any:
    model = read_model(auto_class(folder, name), folder, name, use_safetensors=True, **how)
    freeze_towers(model)
    return model


def to_device(model: Any, use_cpu: bool) -> Any:
    """Move a model to the fastest device."""
    return model.to("cuda" if torch.cuda.is_available() and not use_cpu else "cpu")
