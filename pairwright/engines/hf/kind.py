"""The kind `hf`: transformers models in this process."""

from typing import ClassVar

from pairwright.engines.asked import ASKED
from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.options import EngineOptions


class HFKind(EngineKind):
    """A model that transformers loads. Choices are enforced here; JSON schemas are not."""

    help: ClassVar = "hf:MODEL (transformers; hf:smollm2 is built in)"
    heeds: ClassVar = frozenset(ASKED) - {"extra_headers", "extra_body"}

    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        """Load the model."""
        from pairwright.engines.hf.engine import HFEngine

        return HFEngine(name, options, spec)

    def identity(self, name: str, options: EngineOptions) -> str:
        """Return the model's name and a hash of its files, or its commit, and the number format."""
        from pairwright.models.names import model_identity

        return model_identity(name, options.dtype)

    def reports_logprobs(self, name: str) -> bool:
        """Return True: they are computed here."""
        return True
