"""A provider's model as an engine: the client of servers, over any-llm."""

from pairwright.engines.addresses import present_url
from pairwright.engines.openai.client import OpenAIClient
from pairwright.engines.openai.engine import ServedEngine
from pairwright.engines.openai.rate_limits import RateLimits
from pairwright.engines.openai.retry import Backoff
from pairwright.engines.options import EngineOptions
from pairwright.engines.providers.families import family_of
from pairwright.engines.providers.headers import Headers
from pairwright.engines.providers.library import address_of, opened
from pairwright.engines.providers.spec import Rented, identity_of
from pairwright.engines.providers.transport import LibraryTransport


class ProviderEngine(ServedEngine):
    """An engine behind a provider's own SDK.

    Queueing, retries, refusals that teach, probes of constraints and failures are those of servers; the
    SDK's own retries are off.
    """

    def __init__(
        self,
        named: Rented,
        options: EngineOptions,
        spec: str,
        *,
        backoff: Backoff | None = None,
        patience: float = 5.0,
    ) -> None:
        url = address_of(named)
        headers = Headers(RateLimits())
        there = present_url(url, options.server_moved)
        provider, place = opened(named, there, options.api_key_env, headers.heard)
        backoff, family = backoff or Backoff(), family_of(named.provider)
        super().__init__(
            OpenAIClient(named.model, place, options, backoff, LibraryTransport(provider, headers), family),
            options,
            spec=spec,
            identity=identity_of(named, url),
            backoff=backoff,
            patience=patience,
        )
