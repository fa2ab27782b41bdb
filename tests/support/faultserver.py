"""A loopback server of the OpenAI chat protocol that misbehaves on demand, down to the bytes.

Answers are a function of messages and seed alone. A user message says what goes wrong with it:

    [[fault:NAME]]        every attempt meets NAME
    [[fault:A,B=2,ok]]    the first attempt meets A, the second B with argument 2, later ones none

Names are the keys of BODIES and STATUSES, the methods `_NAME` of Connection, and any HTTP status
(its argument is the `Retry-After`). In process: `with FaultServer() as server: server.url, …`. As a
program: `python tests/support/faultserver.py --port 0 --log FILE` prints its URL and serves until killed.
"""

import argparse
import asyncio
import json
import re
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fault_bodies import digest
from fault_connections import Connection, Seen

MARKER = re.compile(r"\[\[fault:([^\]]+)\]\]")


@dataclass
class FaultServer:
    """The server and what it has seen. Runs in a thread of its own."""

    port: int = 0
    latency: float = 0.0
    """Seconds that every answer takes."""
    bears: int = 0
    """Most requests it bears at once; further ones get 429. 0 bears all."""
    fault: str = "ok"
    """What requests without a marker of their own meet."""
    constrains: bool = True
    """Whether it heeds choices and JSON schemas. Many servers do not, and do not say so."""
    refuses: tuple[str, ...] = ()
    """Fields that it answers with 400, as models that reason and many providers do."""
    log: Path | None = None
    refused: list[Seen] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    probes: list[Seen] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0
    _attempts: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "FaultServer":
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def meet(self, seen: Seen) -> tuple[str, str]:
        """Note a request; which fault its attempt meets, and the fault's argument."""
        mark = digest(seen.body)
        self._attempts[mark] += 1
        seen.attempt = self._attempts[mark]
        marker = MARKER.search(seen.prompt)
        script = (marker.group(1) if marker else self.fault).split(",")
        seen.fault = script[min(seen.attempt, len(script)) - 1].strip()
        self.seen.append(seen)
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as log:
                log.write(json.dumps(asdict(seen)) + "\n")
        name, _, argument = seen.fault.partition("=")
        return name, argument

    def attempts(self, prompt: str) -> list[Seen]:
        """The requests whose last message is this one, as they came."""
        return [seen for seen in self.seen if seen.prompt == prompt]

    def open_request(self) -> "_Open":
        return _Open(self)

    def _run(self, ready: threading.Event) -> None:
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        listener = await asyncio.start_server(
            lambda r, w: Connection(self, r, w).serve(), "127.0.0.1", self.port, backlog=512
        )
        self.port = listener.sockets[0].getsockname()[1]
        ready.set()
        await self._stopped.wait()
        listener.close()


@dataclass
class _Open:
    """Counts a request while it is open."""

    server: FaultServer

    async def __aenter__(self) -> int:
        self.server.open_now += 1
        self.server.most_open = max(self.server.most_open, self.server.open_now)
        return self.server.open_now

    async def __aexit__(self, *_: object) -> None:
        self.server.open_now -= 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--log", type=Path)
    given = parser.parse_args()
    with FaultServer(given.port, given.latency, log=given.log) as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
