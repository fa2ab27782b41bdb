"""Connections of the server that misbehaves, and all the ways in which one can be spoilt."""

import asyncio
import functools
import gzip
import json
import math
import socket
import struct
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from fault_bodies import BODIES, Json, answer, dumps

if TYPE_CHECKING:
    from faultserver import FaultServer


@dataclass
class Seen:
    """A request as it arrived."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Json
    fault: str = "ok"
    attempt: int = 1
    sent: int = 0
    """Bytes of an endless body that the caller let us send."""

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])


STATUSES: dict[str, tuple[int, Json]] = {
    "context_length": (400, {"message": "too many tokens", "code": "context_length_exceeded"}),
    "insufficient_quota": (429, {"message": "pay first", "code": "insufficient_quota"}),
    "context_vllm": (400, {"message": "This model's maximum context length is 8 tokens."}),
}


class Connection:
    """One connection, and all the ways in which it can be spoilt."""

    def __init__(
        self, server: "FaultServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def serve(self) -> None:
        try:
            while await self._one():
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.writer.close()

    async def _one(self) -> bool:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines if x)}
        raw = await self.reader.readexactly(int(headers.get("content-length", 0)))
        body = json.loads(raw) if raw else {}
        seen = Seen(time.time(), method, path, headers, body)
        if not path.split("?")[0].endswith("/chat/completions"):
            self.server.probes.append(seen)
            return await self._send(200, b'{"object": "list", "data": []}')
        if headers.get("content-type") != "application/json":  # as vLLM does
            return await self._send(400, b'{"error": {"message": "Unsupported Media Type"}}')
        if refused := next((name for name in self.server.refuses if name in body), None):
            self.server.refused.append(seen)
            told = {"message": f"Unsupported parameter: '{refused}'", "param": refused}
            return await self._send(400, dumps({"error": told}))
        name, argument = self.server.meet(seen)
        async with self.server.open_request() as open_now:
            if 0 < self.server.bears < open_now:
                return await self._send(429, b"{}")
            await asyncio.sleep(self.server.latency)
            return await self._misbehave(name, argument, seen)

    async def _misbehave(self, name: str, argument: str, seen: Seen) -> bool:
        if name in BODIES:
            asked = dict(seen.body)
            if not self.server.constrains:
                asked.pop("structured_outputs", None)
                asked.pop("response_format", None)
            body = BODIES[name](answer(asked))
            return await self._send(200, body if isinstance(body, bytes) else dumps(body))
        if name in STATUSES or name.isdigit():
            status, error = STATUSES.get(name) or (int(name), {"message": f"fault {name}"})
            wait = {"Retry-After": argument} if argument else {}
            return await self._send(status, dumps({"error": error}), **wait)
        return bool(await getattr(self, f"_{name}")(argument, seen))

    async def _send(self, status: int, body: bytes, **headers: str) -> bool:
        fields = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.writer.write(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body)
        await self.writer.drain()
        return True

    async def _date(self, argument: str, seen: Seen) -> bool:
        """429 with an HTTP-date that many seconds ahead."""
        when = formatdate(math.ceil(time.time()) + float(argument), usegmt=True)
        return await self._send(429, b"{}", Retry_After=when)

    async def _ms(self, argument: str, seen: Seen) -> bool:
        return await self._send(429, b"{}", retry_after_ms=argument)

    async def _limit_reset(self, argument: str, seen: Seen) -> bool:
        return await self._send(429, b"{}", x_ratelimit_reset_requests=argument)

    async def _echo(self, argument: str, seen: Seen) -> bool:
        """An error that tells everybody the caller's key, with the status given."""
        told = {"message": f"bad key {seen.headers.get('authorization')}"}
        return await self._send(int(argument), dumps({"error": told}))

    async def _long_echo(self, argument: str, seen: Seen) -> bool:
        """The same, where a caller may want to cut the message short."""
        told = {"message": f"{'bad ' * 96}{seen.headers.get('authorization')}"}
        return await self._send(int(argument), dumps({"error": told}))

    async def _plain(self, argument: str, seen: Seen) -> bool:
        return await self._send(200, dumps(answer(seen.body)), Content_Type="text/plain")

    async def _redirect(self, argument: str, seen: Seen) -> bool:
        return await self._send(307, b"", Location=argument or "http://127.0.0.1:9/v1")

    async def _reset(self, argument: str, seen: Seen) -> bool:
        """RST before any byte."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()
        return False

    async def _reset_mid(self, argument: str, seen: Seen) -> bool:
        await self._part(dumps(answer(seen.body)))
        return await self._reset(argument, seen)

    async def _close(self, argument: str, seen: Seen) -> bool:
        return False

    async def _short(self, argument: str, seen: Seen) -> bool:
        """Content-Length promises more than comes."""
        await self._part(dumps(answer(seen.body)))
        return False

    async def _part(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self.writer.write(head + body[: len(body) // 2])
        await self.writer.drain()
        await asyncio.sleep(0.02)

    async def _garbage(self, argument: str, seen: Seen) -> bool:
        self.writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\x00\xff\r\n\r\n")
        await self.writer.drain()
        return False

    async def _hang(self, argument: str, seen: Seen) -> bool:
        await asyncio.sleep(float(argument or 3600))
        return False

    async def _hang_mid(self, argument: str, seen: Seen) -> bool:
        await self._part(dumps(answer(seen.body)))
        return await self._hang(argument, seen)

    async def _drip(self, argument: str, seen: Seen) -> bool:
        """One byte every few tenths of a second, for as long as anybody listens."""
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(100_000):
            self.writer.write(b" ")
            await self.writer.drain()
            await asyncio.sleep(float(argument or 0.2))
        return False

    async def _slow(self, argument: str, seen: Seen) -> bool:
        await asyncio.sleep(float(argument))
        return await self._send(200, dumps(answer(seen.body)))

    async def _gzip(self, argument: str, seen: Seen) -> bool:
        """The answer packed, which was not asked for, as some gateways send everything."""
        return await self._send(200, gzip.compress(dumps(answer(seen.body))), Content_Encoding="gzip")

    async def _gzip_bomb(self, argument: str, seen: Seen) -> bool:
        return await self._send(200, gzip_bomb(), Content_Encoding="gzip")

    async def _giant(self, argument: str, seen: Seen) -> bool:
        """A chunked body without end."""
        self.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(4096):
            self.writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            await self.writer.drain()
            seen.sent += 65536
        return False


@functools.cache
def gzip_bomb() -> bytes:
    """60 MB in 58 kB."""
    return gzip.compress(b" " * 60_000_000, 9)
