"""A server of batch jobs, as OpenAI, Anthropic and Gemini have them.

It answers chat completions at once too. What became of every request is kept, to be counted: `worked` has
the number of times that each was worked on in a job, by the content of its last message.
"""

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from batch_anthropic import anthropic
from batch_gemini import gemini
from batch_openai import openai
from batch_work import Said, Work, prompt_of
from plain_server import Json, reply


def upper(text: str) -> str:
    return text.upper()


@dataclass
class BatchServer:
    """`says` makes an answer of a prompt. A job is over after it was looked at `looks` times.

    `fate` decides what becomes of one request: `ok`, `expired`, `cancelled`, or a status of HTTP; `garbles`
    changes files on their way back; `dies` says before which reply the connection breaks; `has_batches` is
    False for servers without.
    """

    says: Callable[[str], str] = upper
    looks: int = 1
    fate: Callable[[str, int], str] = lambda prompt, times: "ok"
    garbles: Callable[[bytes], bytes] = lambda content: content
    refuses: Callable[[Json], str | None] = lambda job: None
    dies: Callable[[str, str, int], bool] = lambda method, path, times: False
    has_batches: bool = True
    refusal: Json = field(default_factory=dict)
    """What requests outside of jobs are refused with."""
    holds: bool = False
    """Whether jobs go on until they are cancelled."""
    slow: float = 0.0
    """Seconds between the creation of a job and the reply that tells of it."""
    works: list[Work] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    worked: Counter[str] = field(default_factory=Counter)
    chats: list[str] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> "BatchServer":
        outer = self
        self._lock = threading.RLock()
        self._calls: Counter[tuple[str, str]] = Counter()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.serve(self, b"")

            def do_POST(self) -> None:
                outer.serve(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def log_message(self, *_: object) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        url = urlsplit(handler.path)
        path, method = url.path, handler.command
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            self.seen.append((method, handler.path, headers))
            short = re.sub(r"(batch|file|msgbatch)[-_]\w+|batches/\w+", "ID", path)
            self._calls[method, short] += 1
            times = self._calls[method, short]
            status, said = self._routed(method, path, query, headers, body)
        if self.slow and method == "POST" and "batch" in path.lower():
            time.sleep(self.slow)
        if self.dies(method, short, times):
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        payload = said if isinstance(said, bytes) else json.dumps(said).encode()
        try:
            handler.send_response(status)
            kind = "application/octet-stream" if isinstance(said, bytes) else "application/json"
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(payload)))
            handler.end_headers()
            handler.wfile.write(payload)
        except OSError:
            return  # whoever asked is gone

    def _routed(self, method: str, path: str, query: Json, headers: Json, body: bytes) -> Said:
        if path.endswith("/chat/completions"):
            asked = json.loads(body)
            self.chats.append(asked["messages"][-1]["content"])
            return (400, self.refusal) if self.refusal else (200, self.completion(asked))
        if path.endswith("/models"):
            return 200, {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "us"}]}
        if self.has_batches:
            for provider in (openai, anthropic, gemini):
                if (found := provider(self, method, path, query, headers, body)) is not None:
                    return found
        return 404, {
            "error": {"message": f"Invalid URL ({method} {path})", "type": "invalid_request_error"}
        }

    def completion(self, body: Json) -> Json:
        found = reply(body, self.says(body["messages"][-1]["content"]))
        return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, **found}

    def begin(self, kind: str, mark: str, lines: list[Json], **more: Any) -> Work:
        made = Work(f"{kind}{len(self.works) + 1}", mark, lines, **more)
        self.works.append(made)
        return made

    def look(self, work: Work, do: Callable[[Work, Json, str], None]) -> None:
        """Let a job go on; once it is over, every request of it has had its fate."""
        work.looks += 1
        if work.status == "cancelling":
            for number, line in enumerate(work.lines):
                self._done(work, line, do, None if number < len(work.lines) // 2 else "cancelled")
            work.status = "cancelled"
        elif work.status == "in_progress" and work.looks > self.looks and not self.holds:
            fates = {self._done(work, line, do, None) for line in work.lines}
            work.status = "expired" if "expired" in fates else "completed"

    def _done(self, work: Work, line: Json, do: Callable[[Work, Json, str], None], fate: str | None) -> str:
        prompt = prompt_of(line)
        if fate is None:
            fate = self.fate(prompt, self.worked[prompt])
            self.worked[prompt] += 1
        do(work, line, fate)
        return fate
