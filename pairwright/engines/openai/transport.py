"""One request over HTTP and its reply: a completion, a fault, or a refusal to learn from."""

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from pairwright.engines.openai.access import Access
from pairwright.engines.openai.body import Invalid, body_limit, parse_body, read_at_most
from pairwright.engines.openai.error_body import read_error
from pairwright.engines.openai.faults import Known, connection_fault, error_status, invalid, status_fault
from pairwright.engines.openai.rate_limits import RateLimits
from pairwright.engines.openai.retry import Fault
from pairwright.records import Completion, Request

ERROR_BODY = 65536
"""Bytes that are read of a reply that says what is wrong."""
_ABOUT_FIELDS = (400, 403, 422)
_CONNECT_SECONDS = 10.0
_MODELS_BYTES = 2**23
"""Most of a list of models that is read."""
_MODELS_SECONDS = 30.0
"""Longest that a list of models is read, also where it comes drop by drop."""


class Refusal(NamedTuple):
    """A reply that may say how the request must be written instead."""

    fault: Fault
    body: bytes


class Transport(ABC):
    """A connection to one server; replies are read here, also those in a batch job."""

    def __init__(self, rate_limits: RateLimits) -> None:
        self.rate_limits = rate_limits
        self._gives_logprobs = False
        self.known = Known()
        """What is known of the server, for the words about its faults."""
        self.last_reply = time.monotonic()

    @abstractmethod
    async def send(self, said: Mapping[str, Any], request: Request) -> Completion | Fault | Refusal:
        """Send a request and read the reply."""

    @abstractmethod
    async def listed(self, patience: float) -> tuple[bytes, str]:
        """Return the server's list of models, as it comes, and what the server calls itself.

        Raises `httpx.ReadTimeout` where somebody is there and says nothing, another
        `httpx.TransportError` where nobody is.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""

    def read(self, body: bytes, request: Request) -> Completion | Fault | Refusal:
        """Return the completion in the body of a reply with status 200, or what the error in it means."""
        answer = parse_body(body, request, logprobs=self._gives_logprobs)
        if isinstance(answer, Invalid):
            meant = error_status(read_error(answer.error)) if answer.error else 0
            return self.refused(meant, {}, answer.error) if meant else invalid(answer.reason, answer.tokens)
        self._gives_logprobs |= bool(answer.top_logprobs)
        return answer

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault | Refusal:
        """Return what a reply with another status means."""
        fault = status_fault(status, headers, body, time.time(), self.known)
        return Refusal(fault, body) if status in _ABOUT_FIELDS else fault


class HTTPTransport(Transport):
    """The connection over HTTP, in OpenAI's protocol."""

    def __init__(self, access: Access, rate_limits: RateLimits) -> None:
        super().__init__(rate_limits)
        self._access = access
        self.http = access.client(
            headers={
                **access.headers,
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )

    async def send(self, said: Mapping[str, Any], request: Request) -> Completion | Fault | Refusal:
        """Send a request and read the reply."""
        try:
            payload = json.dumps(said).encode()
            async with self.http.stream("POST", self._access.chat, content=payload) as reply:
                self.last_reply = time.monotonic()
                self.rate_limits.note(reply.headers, request, self.last_reply, time.time())
                if not reply.is_success:
                    body = await read_at_most(reply, ERROR_BODY)
                    return self.refused(reply.status_code, reply.headers, body)
                most = body_limit(request)
                body = await read_at_most(reply, most + 1)
        except httpx.HTTPError as error:
            return connection_fault(error)
        if len(body) > most:
            return invalid(f"the body is larger than {most} bytes")
        return self.read(body, request)

    async def listed(self, patience: float) -> tuple[bytes, str]:
        """Return the server's list of models, and the header in which it says what it is."""
        timeout = httpx.Timeout(patience)
        try:
            async with asyncio.timeout(max(patience, _MODELS_SECONDS)):
                async with self.http.stream("GET", self._access.models, timeout=timeout) as reply:
                    return await read_at_most(reply, _MODELS_BYTES), reply.headers.get("server", "")
        except TimeoutError:
            raise httpx.ReadTimeout("its list of models does not end") from None

    async def close(self) -> None:
        """Close all connections."""
        await self.http.aclose()
