"""The engine that rounds sample with: one of vLLM lives through all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pairwright.engines.vllm.kept import engines_kept
from pairwright.engines.vllm.settings import least_rank
from pairwright.models.names import base_and_adapter, is_adapter
from pairwright.terminal.text import say
from train.config import AdapterConfig

_BYTES_A_WEIGHT = 16
"""Held in a training of all weights: value, gradient and Adam's two moments, each in float32."""
_STORED = 2
"""Bytes of a weight as models are mostly stored."""


@contextmanager
def through_rounds(policy: str, model: str, train: AdapterConfig) -> Iterator[None]:
    """Keep the engine of a policy of `vllm` alive within; what that takes of memory is said before."""
    if policy != "vllm":
        yield
        return
    place, _ = base_and_adapter(model)
    size = sum(path.stat().st_size for path in Path(place).glob("*.safetensors"))
    if size:
        trained = size // _STORED * _BYTES_A_WEIGHT
        say(
            "vLLM lives through the rounds and takes each round's weights in place. On a GPU it sleeps "
            f"while other steps work: {_gib(size)} of weights wait in main memory, and the GPU is the "
            f"training's (about {_gib(trained)} and activations, if all weights are trained). On a CPU "
            "its weights and cache (VLLM_CPU_KVCACHE_SPACE) stay in memory"
        )
    rank = least_rank(train.lora_r) if swaps_adapters(policy, train) else None
    with engines_kept(place, rank or 0):
        yield


def swaps_adapters(policy: str, train: AdapterConfig) -> bool:
    """Return whether a round's adapter stays apart from its base, is put on it to sample, and trained on.

    vLLM puts adapters on a base that it holds; all else wants whole models. Four bits are another base.
    """
    fits = train.lora_r and not train.use_dora and not train.load_in_4bit and least_rank(train.lora_r)
    return policy == "vllm" and bool(fits)


def adapter_settings(policy: str, model: str, train: AdapterConfig) -> dict[str, Any]:
    """Return what a round's training says of adapters: a new one, or the model's own that is trained on."""
    on = is_adapter(model)
    if not swaps_adapters(policy, train):
        return {"merge_adapter": bool(train.lora_r), "merge_first": on}
    return {"merge_adapter": False} | ({"lora_r": 0, "use_rslora": False} if on else {})


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
