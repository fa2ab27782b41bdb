"""The kind `openai`: any server that speaks OpenAI's protocol."""

from typing import ClassVar
from urllib.parse import urlsplit

from pairwright.engines.addresses import normalised, refuse_secrets
from pairwright.engines.asked import ASKED
from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.openai.families import family_at
from pairwright.engines.options import EngineOptions
from pairwright.errors import UsageError


class OpenAIKind(EngineKind):
    """A model at a server."""

    help: ClassVar = "openai:MODEL@URL (any OpenAI-compatible server)"
    holds_schemas: ClassVar = True
    heeds: ClassVar = frozenset(ASKED) - {"adapter"}

    def check(self, name: str) -> None:
        """Raise `UsageError` for what is not MODEL@URL, and for secrets in the URL."""
        _model_and_url(name)

    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        """Connect to the server."""
        from pairwright.engines.openai.engine import OpenAIEngine

        model, url = _model_and_url(name)
        return OpenAIEngine(model, url, options, spec)

    def identity(self, name: str, options: EngineOptions) -> str:
        """Return the model as the server knows it, and the server."""
        model, url = _model_and_url(name)
        return f"openai:{model}@{normalised(url)}"

    def reports_logprobs(self, name: str) -> bool:
        """Return False for families known to have none; others are found out by the first answer."""
        return family_at(_model_and_url(name)[1]).most_logprobs > 0


def _model_and_url(name: str) -> tuple[str, str]:
    model, at, url = name.partition("@http")
    url = f"http{url}"
    refuse_secrets(url, f"openai:{model}@URL", "PAIRWRIGHT_API_KEY")
    if not at or not model or not urlsplit(url).netloc:
        raise UsageError(f"openai:{name}: write it as openai:MODEL@URL, with http:// or https:// in it")
    return model, url
