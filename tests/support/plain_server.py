"""A loopback server of the chat protocol whose every answer is a function of the body that was sent."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def reply(body: Json, text: str | None, *, thought: str | None = None, **message: Any) -> Json:
    """A completion with this text, or cut off in its thought; log-probabilities, if asked for, of both."""
    pieces = [piece for piece in (thought, text) if piece is not None]
    entries = [
        {"token": piece, "logprob": -0.1, "top_logprobs": [{"token": piece, "logprob": -0.1}]}
        for piece in pieces
    ]
    said = {"role": "assistant", "content": text, **message}
    if thought is not None:
        said["reasoning_content"] = thought
    choice = {"index": 0, "message": said, "finish_reason": "stop" if text is not None else "length"}
    if body.get("logprobs"):
        choice["logprobs"] = {"content": entries}
    return {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}, "model": "m"}


@dataclass
class PlainServer:
    """`answer` gives the JSON of each reply; one with `error` goes out with status 400, or its `status`.

    `models` is what its list of models holds, `headers` go out with every reply.
    """

    answer: Callable[[Json], Json]
    models: list[Json] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    certificate: Path | None = None
    """The file of the certificate, and of its key, that it shows."""
    bodies: list[Json] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of every request."""

    @property
    def url(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> "PlainServer":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.note(self)
                self._send(200, {"object": "list", "data": outer.models})

            def do_POST(self) -> None:
                outer.note(self)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.bodies.append(body)
                said = outer.answer(body)
                status = said.pop("status", 400) if "error" in said or "detail" in said else 200
                self._send(status, said)

            def _send(self, status: int, value: Json) -> None:
                payload = json.dumps(value).encode()
                self.send_response(status)
                for name, text in {"Content-Type": "application/json", **outer.headers}.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if self.certificate is not None:
            shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            shown.load_cert_chain(self.certificate)
            self._http.socket = shown.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def note(self, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append((handler.path, {k.lower(): v for k, v in handler.headers.items()}))
