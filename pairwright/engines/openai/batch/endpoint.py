"""The interface of providers' batch endpoints, and their calls over HTTP."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Any, ClassVar, NamedTuple

import httpx

from pairwright.engines.openai.access import Access
from pairwright.engines.openai.batch.store import Answer, Asked, Batch
from pairwright.engines.openai.faults import Known, connection_fault, invalid, status_fault
from pairwright.engines.openai.retry import Fault
from pairwright.errors import PairwrightError

MIB = 2**20
_TIMEOUT = httpx.Timeout(300.0, connect=10.0)
_A_DAY = 86400.0


class TroubleError(Exception):
    """A call that failed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class NoEndpointError(PairwrightError):
    """The server has no batch jobs."""


class Seen(NamedTuple):
    """The state of a job."""

    over: bool
    status: str
    answered: int = 0
    refusal: str = ""
    """Why the whole of it was refused."""
    full: bool = False
    """Whether that is since too much is in the provider's queue."""


class Endpoint(ABC):
    """A provider's batch jobs. Calls raise `TroubleError`."""

    name: ClassVar[str]
    most_requests: ClassVar[int]
    most_bytes: ClassVar[int]

    def __init__(self, access: Access, model: str) -> None:
        self._access = access
        self._model = model
        self._http = access.client(headers=self.headers(access), timeout=_TIMEOUT)

    def headers(self, access: Access) -> dict[str, str]:
        """Return the headers that carry the key."""
        return dict(access.headers)

    @abstractmethod
    async def check(self) -> None:
        """Raise `NoEndpointError` if the server has no batch jobs."""

    @abstractmethod
    def line(self, mark: str, asked: Asked) -> bytes:
        """Return the line of a job's file that holds a request, under the mark of its answer."""

    @abstractmethod
    async def upload(self, batch: Batch, lines: list[bytes]) -> str:
        """Upload the requests and return the provider's name of them; empty if `create` uploads them."""

    @abstractmethod
    async def create(self, batch: Batch, lines: list[bytes]) -> str:
        """Create a job and return its name."""

    @abstractmethod
    async def find(self, batch: Batch) -> str:
        """Return the name of the job that was created under a mark; empty if there is none."""

    @abstractmethod
    async def look(self, batch: Batch) -> Seen:
        """Return the state of a job."""

    @abstractmethod
    def answers(self, batch: Batch) -> AsyncIterator[Answer]:
        """Yield the answers of a finished job.

        Requests that were not worked on may be missing or have status 0.
        """

    @abstractmethod
    async def cancel(self, batch: Batch) -> None:
        """Let no further request of a job be worked on."""

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def call(self, method: str, url: httpx.URL | str, **sent: Any) -> httpx.Response:
        """Return a reply with status 200."""
        try:
            reply = await self._http.request(method, url, **sent)
        except httpx.HTTPError as error:
            raise TroubleError(self._shown(connection_fault(error))) from None
        if not reply.is_success:
            raise TroubleError(self._shown(self._fault(reply)))
        return reply

    async def json(self, method: str, url: httpx.URL | str, **sent: Any) -> dict[str, Any]:
        """Return the JSON object that such a reply holds."""
        reply = await self.call(method, url, **sent)
        try:
            value = json.loads(reply.content)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise TroubleError(invalid(f"no JSON object came back of {method} {reply.url.path}"))
        return value

    def _fault(self, reply: httpx.Response) -> Fault:
        known = Known(self._model, variable=self._access.variable)
        return status_fault(reply.status_code, reply.headers, reply.content, time.time(), known)

    def _shown(self, fault: Fault) -> Fault:
        text = self._access.told(fault.text)
        return Fault(**{**vars(fault), "text": text})


def may_be(batch: Batch, created: float) -> bool:
    """Return whether a job created at this time may be this one, by clocks that may differ."""
    return created > batch.planned - _A_DAY


def lines_of(content: bytes) -> list[dict[str, Any]]:
    """Return the JSON objects in a file of lines; other lines are left out."""
    found = []
    for line in content.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
