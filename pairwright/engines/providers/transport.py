"""One request through any-llm, whose reply is read as if it had come over HTTP from a server."""

import asyncio
import contextlib
import inspect
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from any_llm import AnyLLM
from any_llm.exceptions import AnyLLMError, UnsupportedParameterError
from any_llm.providers.openai.base import BaseOpenAIProvider
from any_llm.types.completion import ChatCompletion
from pydantic import ValidationError

from pairwright.engines.openai.faults import UNREACHABLE, connection_fault, invalid
from pairwright.engines.openai.retry import Fault
from pairwright.engines.openai.transport import Refusal, Transport
from pairwright.engines.providers.headers import Headers
from pairwright.records import Completion, Request

_OWN_ARGUMENTS = frozenset(inspect.signature(AnyLLM.acompletion).parameters)
_NOT_REACHED = "ConnectError ConnectTimeout EndpointConnectionError ServiceRequestError"
_BROKEN = """
    ReadError ReadTimeout WriteError WriteTimeout PoolTimeout RemoteProtocolError ConnectionError
    ConnectionResetError APIConnectionError APITimeoutError NetworkError ReadTimeoutError
    ServiceResponseError ClientConnectionError ServerDisconnectedError
"""
"""What SDKs raise where no connection was made, and where one broke: each has its own HTTP library."""


class LibraryTransport(Transport):
    """The way through a provider's SDK."""

    def __init__(self, provider: AnyLLM, headers: Headers) -> None:
        super().__init__(headers.rate_limits)
        self._provider = provider
        self._headers = headers

    async def send(self, said: Mapping[str, Any], request: Request) -> Completion | Fault | Refusal:
        """Send a request and read the reply."""
        try:
            with self._headers.of(request):
                reply = await self._provider.acompletion(**self._arguments(said))
        except Exception as error:  # an SDK raises what it likes
            return self._fault(error)
        self.last_reply = time.monotonic()
        if not isinstance(reply, ChatCompletion):
            return invalid(f"any-llm gave a {type(reply).__name__} and no completion")
        return self.read(_body(reply), request)

    async def listed(self, patience: float) -> tuple[bytes, str]:
        """Return the names of the provider's models; none if it does not list them."""
        elsewhere = self._provider.PROVIDER_NAME == "bedrock"  # another service of AWS, with other rights
        if elsewhere or not self._provider.SUPPORTS_LIST_MODELS:
            return b"", ""
        try:
            async with asyncio.timeout(patience):
                models = await self._provider.alist_models()
        except TimeoutError:
            return b"", ""
        except Exception as error:
            fault = self._fault(error)
            if isinstance(fault, Fault) and fault.code == UNREACHABLE:
                raise httpx.ConnectError(fault.text) from None
            return b"", ""  # many keys open the models and not their list
        return json.dumps({"data": [{"id": m.id.removeprefix("models/")} for m in models]}).encode(), ""

    async def close(self) -> None:
        """Close the SDK's connections, if it can."""
        client = getattr(self._provider, "client", None)
        for name in ("close", "aclose"):
            with contextlib.suppress(Exception):
                if inspect.isawaitable(closed := getattr(client, name)()):
                    await closed

    def _arguments(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """A request as any-llm takes it: fields that it does not know are the SDK's own."""
        known = {name: value for name, value in said.items() if name in _OWN_ARGUMENTS}
        further = {name: value for name, value in said.items() if name not in _OWN_ARGUMENTS}
        if further and isinstance(self._provider, BaseOpenAIProvider):
            further = {"extra_body": further}
        return known | further

    def _fault(self, error: Exception) -> Fault | Refusal:
        """What an error of any-llm, or of an SDK that it lets pass, comes to."""
        cause = getattr(error, "original_exception", None) or error
        names = {type(one).__name__ for one in _chain(cause)}
        status = _status(error, cause)
        if status >= 300:
            self.last_reply = time.monotonic()
            return self.refused(status, _headers(error, cause), _reply(error, cause))
        if names & set(_NOT_REACHED.split()):
            return connection_fault(httpx.ConnectError(str(cause)))
        if names & set(_BROKEN.split()):
            return connection_fault(httpx.RemoteProtocolError(str(cause)))
        ours = isinstance(error, ValidationError) and error.title == "CompletionParams"
        if ours or isinstance(error, UnsupportedParameterError) or isinstance(cause, TypeError):
            return self.refused(400, {}, _reply(error, cause))  # nothing has left
        return invalid(f"{type(cause).__name__}: {cause}")


def _body(reply: ChatCompletion) -> bytes:
    """A completion as servers send it."""
    said = reply.model_dump(mode="json", exclude_none=True)
    for choice in said["choices"]:
        message = choice["message"]
        thought = message.pop("reasoning", None)  # a text, or an object with one
        if thought := thought.get("content") if isinstance(thought, dict) else thought:
            message["reasoning_content"] = thought
        if choice.get("finish_reason") == "content_filter":
            message.pop("refusal", None)  # a sentence of any-llm's
    return json.dumps(said).encode()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _status(error: Exception, cause: Exception) -> int:
    """The status of a refusal; 0 where there is none. AWS's SDK has it in a dictionary."""
    found = getattr(error, "status_code", None)
    reply = getattr(cause, "response", None)
    if found is None and isinstance(reply, Mapping):
        found = reply.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return found if isinstance(found, int) else 0


def _headers(error: Exception, cause: Exception) -> Mapping[str, str]:
    """The headers of a refusal, where the SDK keeps them."""
    found = getattr(getattr(cause, "response", None), "headers", None) or getattr(cause, "headers", None)
    if isinstance(found, Mapping):
        return {str(name).lower(): str(value) for name, value in found.items()}
    again = getattr(error, "retry_after", None)
    return {"retry-after": str(again)} if again else {}


def _reply(error: Exception, cause: Exception) -> bytes:
    """What the provider said, or any-llm of it, as a body of OpenAI's form."""
    content = getattr(getattr(cause, "response", None), "content", None)
    if isinstance(content, bytes) and content:
        return content
    if isinstance(body := getattr(cause, "body", None), str) and body:
        return body.encode()
    said: dict[str, Any] = {"message": str(cause)}
    if isinstance(error, UnsupportedParameterError):
        said["param"] = error.parameter_name
    if isinstance(error, AnyLLMError):
        said |= {"code": error.code, "type": error.error_type, "param": error.param or said.get("param")}
    return json.dumps({"error": {name: value for name, value in said.items() if value}}).encode()
