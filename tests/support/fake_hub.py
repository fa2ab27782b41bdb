"""A hub of one's own: the part of the Hugging Face API that makes a data set and commits files to it.

Models under `gated/` are there, and shown to nobody.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub(ThreadingHTTPServer):
    """Keeps what is pushed, by data set and path. Whoever has not the token is sent away."""

    token = "hf_test_secret"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.files: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Api(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._answer(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            known = name in self.server.files
            self.server.files.setdefault(name, {})
            self.server.private.setdefault(name, asked.get("visibility") == "private")
            made = {"url": f"{self.server.url}/datasets/{name}", "name": name}
            self._answer(409 if known else 200, made | {"error": "You already created it"})
        elif "/preupload/" in self.path:
            files = [{"path": f["path"], "uploadMode": "regular"} for f in json.loads(body)["files"]]
            self._answer(200, {"files": [f | {"shouldIgnore": False} for f in files]})
        elif "/commit/" in self.path:
            name = self.path.removeprefix("/api/datasets/").partition("/commit/")[0]
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    self.server.files[name][value["path"]] = base64.b64decode(value["content"])
            where = f"{self.server.url}/datasets/{name}/commit/1"
            self._answer(200, {"success": True, "commitOid": "0" * 40, "commitUrl": where})
        else:
            self._answer(200, {})

    def do_GET(self) -> None:
        if self.path.startswith("/gated/"):
            self._answer(403, {"error": "Access to it is restricted"}, {"X-Error-Code": "GatedRepo"})
        else:
            self._answer(404, {"error": "Entry not found"})

    do_HEAD = do_GET

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def fake_hub() -> Iterator[Hub]:
    """The hub, while the block runs."""
    hub = Hub()
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
