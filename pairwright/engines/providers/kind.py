"""The kind `any`: a model of a provider, through any-llm."""

from typing import ClassVar

from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.options import EngineOptions
from pairwright.engines.providers.families import family_of
from pairwright.engines.providers.spec import identity_of, rented


class AnyKind(EngineKind):
    """A model of a provider."""

    help: ClassVar = "any:PROVIDER/MODEL (a provider: any:mistral/MODEL)"
    holds_schemas: ClassVar = True
    heeds: ClassVar = frozenset({"thinking", "reasoning_effort", "extra_body"})

    def check(self, name: str) -> None:
        """Raise `UsageError` for what is not PROVIDER/MODEL, and for secrets in a URL."""
        rented(name)

    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        """Make the provider's client."""
        from pairwright.engines.providers.engine import ProviderEngine

        return ProviderEngine(rented(name), options, spec)

    def identity(self, name: str, options: EngineOptions) -> str:
        """Return provider and model, and the address where it is not the provider's own.

        Raises `UsageError` where any-llm does not know the provider, or its SDK is missing.
        """
        from pairwright.engines.providers.library import address_of

        return identity_of(rented(name), address_of(rented(name)))

    def reports_logprobs(self, name: str) -> bool:
        """Return whether the provider gives log-probabilities, as far as is known."""
        return family_of(rented(name).provider).most_logprobs > 0
