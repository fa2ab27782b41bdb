"""Headers of replies, which any-llm hands on to nobody: heard by a hook of the HTTP client under an SDK."""

import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pairwright.engines.openai.rate_limits import RateLimits
from pairwright.records import Request

if TYPE_CHECKING:
    from any_llm import AnyLLM

_asked: ContextVar[Request | None] = ContextVar("_asked", default=None)
"""The request that the present task waits for."""
_OF_THE_SAME_MAKE = {"cerebras": "cerebras.cloud.sdk", "groq": "groq", "together": "together"}
"""SDKs that take an HTTP client as those of OpenAI and Anthropic do."""
_OF_TWO = frozenset({"deepseek", "fireworks", "meta"})
"""Providers for whom any-llm opens two SDKs with one set of arguments: no client is one of both."""


class Headers:
    """Has what replies say of rate limits noted."""

    def __init__(self, rate_limits: RateLimits) -> None:
        self.rate_limits = rate_limits

    @contextmanager
    def of(self, request: Request) -> Iterator[None]:
        """Take headers for those of this request meanwhile."""
        before = _asked.set(request)
        try:
            yield
        finally:
            _asked.reset(before)

    async def heard(self, reply: Any) -> None:
        """Note the headers of a reply."""
        if (request := _asked.get()) is not None:
            self.rate_limits.note(reply.headers, request, time.monotonic(), time.time())


def hearing(made: "type[AnyLLM]", heard: Callable[[Any], Awaitable[None]]) -> dict[str, Any]:
    """Return the arguments by which a provider's SDK, which is imported, shows every reply's headers.

    Empty where it takes no HTTP client, or where the provider says nothing of limits (Gemini).
    """
    from any_llm.providers.anthropic.base import BaseAnthropicProvider
    from any_llm.providers.openai.base import BaseOpenAIProvider

    hooks: dict[str, Any] = {"event_hooks": {"response": [heard]}}
    if made.PROVIDER_NAME in _OF_TWO:
        return {}
    if made.PROVIDER_NAME == "mistral":
        return {"async_client": sys.modules["httpx2"].AsyncClient(follow_redirects=True, **hooks)}
    sdk = _OF_THE_SAME_MAKE.get(made.PROVIDER_NAME)
    if issubclass(made, BaseAnthropicProvider):
        sdk = "anthropic"
    elif issubclass(made, BaseOpenAIProvider):
        sdk = "openai"
    return {} if sdk is None else {"http_client": sys.modules[sdk].DefaultAsyncHttpxClient(**hooks)}
