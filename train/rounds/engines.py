"""The engine that rounds sample with: one of vLLM lives through all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairwright.engines.vllm.kept import engines_kept
from pairwright.models.names import base_and_adapter
from pairwright.terminal.text import say

_BYTES_A_WEIGHT = 16
"""Held in a training of all weights: value, gradient and Adam's two moments, each in float32."""
_STORED = 2
"""Bytes of a weight as models are mostly stored."""


@contextmanager
def through_rounds(policy: str, model: str) -> Iterator[None]:
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
    with engines_kept():
        yield


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
