"""Adapters of `peft` on a model in training: new ones, or a folder's, trained further."""

import warnings
from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from torch import nn

from pairwright.errors import UsageError
from pairwright.models.names import is_adapter, resolve_model
from pairwright.models.weights import first_line, read_adapter
from train.config import TrainingConfig
from train.models.towers import without_towers

_READ: "WeakSet[nn.Module]" = WeakSet()
"""Models whose adapters had learnt something before training began."""


def goes_on(config: TrainingConfig) -> bool:
    """Return whether the adapter that `model` names is trained further.

    Raises `UsageError` if another adapter on top of it is asked for too.
    """
    if not is_adapter(resolve_model(config.model)):
        return False
    merge_first = getattr(config, "merge_first", None)
    if merge_first is None:  # of a reward model, which is made of the adapter and its base in one
        if config.load_in_4bit:
            raise UsageError(
                f"{config.model} is an adapter, and is merged into whole weights: leave out --load_in_4bit"
            )
        return False
    if merge_first:
        if config.lora_r and not getattr(config, "merge_adapter", False):
            raise UsageError(
                f"{config.model} is merged first, so an adapter on top has no base in any folder: give "
                "--merge_adapter too, which writes the whole model"
            )
        if config.load_in_4bit:
            raise UsageError("--merge_first needs whole weights: leave out --load_in_4bit")
        return False
    if config.lora_r:
        raise UsageError(
            f"{config.model} is an adapter, and is trained as it is: leave out --lora_r, or put another "
            "on top of it with --merge_first --merge_adapter"
        )
    return True


def with_new_adapters(model: Any, config: TrainingConfig, task_type: str) -> Any:
    """Return the model with LoRA adapters by the settings; they change nothing yet."""
    from peft import LoraConfig, get_peft_model

    _require_modules(model, config.lora_target_modules)
    lora = LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=0.0,
        use_rslora=config.use_rslora,
        use_dora=config.use_dora,
        target_modules=list(config.lora_target_modules) or "all-linear",
        exclude_modules=without_towers(model),
        task_type=task_type,
    )
    try:
        with warnings.catch_warnings():
            # By this name peft asks transformers, which is about to change it.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            return get_peft_model(model, lora)
    except ValueError as error:
        if config.use_dora and "use_dora" in str(error):
            raise UsageError(
                "--use_dora: layers of experts cannot have it; leave it out, or name other layers in "
                f"--lora_target_modules ({first_line(error)})"
            ) from None
        raise UsageError(f"lora_target_modules: {first_line(error)}") from None


def _require_modules(model: Any, wanted: Iterable[str]) -> None:
    """Raise `UsageError` for a name that no module has; `peft` passes it over if it finds another."""
    modules = dict(model.named_modules())
    for one in wanted:
        if one != "all-linear" and not any(f".{name}".endswith(f".{one}") for name in modules):
            layers = {
                n.rpartition(".")[2] for n, module in modules.items() if isinstance(module, nn.Linear)
            }
            raise UsageError(
                f"lora_target_modules: the model has no `{one}`; its layers are {', '.join(sorted(layers))}"
            )


def with_adapter_of(place: str, base: Any, name: str) -> Any:
    """Load a folder's adapter onto a base, to be trained further."""
    model = read_adapter(base.requires_grad_(False), place, name, trained=True)
    if model.active_peft_config.is_prompt_learning:
        kind = model.active_peft_config.peft_type.value
        raise UsageError(
            f"{name}: an adapter of tokens ({kind}) cannot be trained here; LoRA and its variants can"
        )
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    _READ.add(model)
    return model


def scale_lora(model: Any, scale: float) -> None:
    """Let LoRA adapters add `scale` times what they add to their layers."""
    from peft.tuners.lora import LoraLayer

    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.scale_layer(scale)


def began_anew(model: Any) -> bool:
    """Return whether a model has new adapters, under which it starts as its base."""
    return is_adapted(model) and model not in _READ


def is_adapted(model: Any) -> bool:
    """Return whether adapters are trained."""
    return hasattr(model, "disable_adapter") and hasattr(model, "peft_config")
