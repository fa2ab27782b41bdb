"""One request over HTTP, and what a reply comes to: a completion, a fault, or a refusal to learn from."""

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from pairwright.engines.openai.access import Access
from pairwright.engines.openai.allowance import Allowance
from pairwright.engines.openai.body import Invalid, body_limit, parse_body, read_at_most
from pairwright.engines.openai.faults import Known, connection_fault, invalid, status_fault
from pairwright.engines.openai.retry import Fault
from pairwright.records import Completion, Request

ERROR_BODY = 65536
"""Bytes that are read of a reply that says what is wrong."""
_ABOUT_FIELDS = (400, 403, 422)
_CONNECT_SECONDS = 10.0


class Refusal(NamedTuple):
    """A reply that may say how the request has to be said instead."""

    fault: Fault
    body: bytes


class Wire:
    """Sends requests to one server and reads what comes back, this way or in a batch job."""

    def __init__(self, access: Access, allowance: Allowance) -> None:
        self._chat = access.chat
        self._allowance = allowance
        self._gives_logprobs = False
        self.known = Known()
        """What is known of the server, for the words about its faults."""
        self.last_reply = time.monotonic()
        self.http = httpx.AsyncClient(
            headers={
                **access.headers,
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            # Hosted servers may lie behind a company's proxy; one on this machine never does.
            trust_env=not access.loopback,
        )

    async def send(self, said: Mapping[str, Any], request: Request) -> Completion | Fault | Refusal:
        """Send a request and read the reply."""
        try:
            payload = json.dumps(said).encode()
            async with self.http.stream("POST", self._chat, content=payload) as reply:
                self.last_reply = time.monotonic()
                self._allowance.note(reply.headers, request, self.last_reply, time.time())
                if not reply.is_success:
                    body = await read_at_most(reply, ERROR_BODY)
                    return self.refused(reply.status_code, reply.headers, body)
                if reply.headers.get("content-encoding", "identity") != "identity":
                    return invalid("the body is compressed, which was not asked for")
                most = body_limit(request)
                body = await read_at_most(reply, most + 1)
        except httpx.HTTPError as error:
            return connection_fault(error)
        if len(body) > most:
            return invalid(f"the body is larger than {most} bytes")
        return self.read(body, request)

    def read(self, body: bytes, request: Request) -> Completion | Fault:
        """Return the completion in the body of a reply with status 200."""
        answer = parse_body(body, request, logprobs=self._gives_logprobs)
        if isinstance(answer, Invalid):
            return invalid(answer.reason)
        self._gives_logprobs |= bool(answer.top_logprobs)
        return answer

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault | Refusal:
        """Return what a reply with another status says."""
        fault = status_fault(status, headers, body, time.time(), self.known)
        return Refusal(fault, body) if status in _ABOUT_FIELDS else fault
