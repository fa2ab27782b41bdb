"""A provider's batch job as the servers of the tests keep it, and what all three providers' share."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from plain_server import Json

Said = tuple[int, Any]
PAGE = 20


@dataclass
class Work:
    """A job, whoever's it is."""

    id: str
    mark: str
    lines: list[Json]
    created: float = field(default_factory=time.time)
    file: str = ""
    endpoint: str = ""
    status: str = "in_progress"
    looks: int = 0
    answers: dict[str, Json] = field(default_factory=dict)
    """Results by the request's own name, in the provider's form."""
    errors: Json | None = None


class Jobs(Protocol):
    """What a provider's API may use of the server."""

    works: list[Work]
    files: dict[str, bytes]
    garbles: Callable[[bytes], bytes]

    def completion(self, body: Json) -> Json: ...

    def says(self, prompt: str) -> str: ...

    def refuses(self, said: Json) -> str | None: ...

    def begin(self, kind: str, mark: str, lines: list[Json], **more: Any) -> Work: ...

    def look(self, work: Work, do: Callable[[Work, Json, str], None]) -> None: ...


def find(server: Jobs, name: str) -> Work | None:
    return next((work for work in server.works if work.id == name), None)


def prompt_of(line: Json) -> str:
    """The last message of a request, in anybody's form."""
    if "request" in line:
        return str(line["request"]["contents"][-1]["parts"][0]["text"])
    content = line.get("body", line.get("params"))["messages"][-1]["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


def page_of(found: list[Json], query: Json, after: str) -> tuple[list[Json], bool]:
    """One page of a list, the newest first."""
    found = found[::-1]
    if query.get(after):
        found = found[[one["id"] for one in found].index(query[after]) + 1 :]
    size = min(int(query.get("limit", PAGE)), PAGE)
    return found[:size], len(found) > size
