"""Base weights in four bits under adapters that are trained (QLoRA).

Dettmers et al. 2023, https://arxiv.org/abs/2305.14314: NF4, blocks of 64 weights, whose scales are
quantized again ("double quantization"). `bitsandbytes` does it while the weights are read.
"""

import copy
import importlib.util
import logging
from importlib.metadata import version
from typing import Any

import torch
from accelerate import PartialState
from torch import nn

from pairwright.errors import UsageError
from pairwright.models.names import base_of, is_adapter
from pairwright.models.quiet import quiet
from pairwright.models.remote_code import own_code
from pairwright.models.weights import as_usage_error, read_model
from train.config import TrainingConfig

# Where it is imported, by peft as well, it may regret a kernel of the hub that only inference uses.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def require_four_bits(*, sharded: bool = False, divided: bool = False) -> None:
    """Raise `UsageError` if adapters on weights in four bits cannot be trained here."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("--load_in_4bit needs bitsandbytes: pip install 'pairwright[qlora]'")
    if sharded:
        raise UsageError(
            "--load_in_4bit does not go with FSDP, which cannot cut packed weights: launch with plain data "
            "parallelism, each process with all of the small base, or without --load_in_4bit"
        )
    if divided:
        raise UsageError(
            "--load_in_4bit does not go with DeepSpeed, which adapters leave little to divide: launch "
            "with plain data parallelism, or without --load_in_4bit"
        )


def require_whole_weights(place: str, name: str) -> None:
    """Raise `UsageError` for a model whose weights were quantized by somebody else."""
    from transformers import AutoConfig

    if is_adapter(place):
        place = base_of(place)
    with as_usage_error(name), quiet():
        found = getattr(AutoConfig.from_pretrained(place, **own_code()), "quantization_config", None)
    if found is not None:
        method = found.get("quant_method") if isinstance(found, dict) else found.quant_method
        raise UsageError(
            f"{name}: its weights are quantized already ({getattr(method, 'value', method)}), and such "
            "weights are not trained; name the model that it was made from (--load_in_4bit quantizes that)"
        )


def in_four_bits(config: TrainingConfig, compute: torch.dtype) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that pack weights as they arrive, on the run's device."""
    from transformers import BitsAndBytesConfig

    device = torch.device("cpu") if config.use_cpu else PartialState().device
    packed = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
    place = "cpu" if device.type == "cpu" else device.index or 0
    return {"quantization_config": packed, "device_map": {"": place}}


def is_packed(module: nn.Module) -> bool:
    """Return whether this layer's weights are in four bits."""
    return hasattr(getattr(module, "weight", None), "quant_state")


def weights_of(model: nn.Module) -> str:
    """Return the number format of a model's frozen weights, as reference stores name it."""
    dtype = str(next(model.parameters()).dtype)
    packed = any(is_packed(module) for module in model.modules())
    return f"{dtype}, nf4 by bitsandbytes {version('bitsandbytes')}" if packed else dtype


def on_whole_weights(model: Any) -> Any:
    """Return the same adapters on the unquantized weights, read again in float32 on the CPU."""
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

    packed = model.get_base_model()
    config = copy.deepcopy(packed.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    base = read_model(
        type(packed),
        packed.name_or_path,
        packed.name_or_path,
        fresh="score" if hasattr(packed, "score") else "",  # the head is among what is trained
        config=config,
        revision=getattr(config, "_commit_hash", None) or "main",
        dtype=torch.float32,
        use_safetensors=True,
    )
    adapted = get_peft_model(base, copy.deepcopy(model.peft_config["default"]))
    set_peft_model_state_dict(adapted, get_peft_model_state_dict(model))
    return adapted
