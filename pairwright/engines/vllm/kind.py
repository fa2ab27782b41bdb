"""The engine kind `vllm`: offline vLLM in a process of its own."""

from typing import ClassVar

from pairwright.engines.asked import ASKED
from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.options import EngineOptions


class VLLMKind(EngineKind):
    """A model that vLLM loads."""

    help: ClassVar = "vllm:MODEL (vLLM in a process of its own)"
    holds_schemas: ClassVar = True
    heeds: ClassVar = frozenset(ASKED) - {"extra_headers"}

    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        """Start vLLM and wait until it has the model."""
        from pairwright.engines.vllm.engine import VLLMEngine

        return VLLMEngine(name, options, spec)

    def identity(self, name: str, options: EngineOptions) -> str:
        """Return the model's identity and a hash of the settings of vLLM that change its answers."""
        from pairwright.engines.vllm.settings import vllm_identity
        from pairwright.models.names import model_identity

        return vllm_identity(model_identity(name, options.dtype), options.engine)

    def reports_logprobs(self, name: str) -> bool:
        """Return True: vLLM reports those of the likeliest tokens."""
        return True
