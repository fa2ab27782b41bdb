"""A hub of one's own with data sets to read: the part of the Hugging Face API that its own client asks.

A data set is a commit by each name of a revision, and the files of it; what is not there is refused as
the hub refuses it.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Files = Mapping[str, bytes]


class DataSets(ThreadingHTTPServer):
    """Data sets by name and revision; whoever has not the token sees no private one."""

    token = "hf_test_secret"

    def __init__(self, sets: Mapping[str, Mapping[str, Files]], private: frozenset[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.sets, self.private = sets, private
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Api(BaseHTTPRequestHandler):
    server: DataSets
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        parts = path.removeprefix("/api").removeprefix("/datasets/").split("/")
        name, rest = "/".join(parts[:2]), parts[2:]
        revisions = self.server.sets.get(name)
        trusted = self.headers.get("Authorization") == f"Bearer {self.server.token}"
        if revisions is None or (name in self.server.private and not trusted):
            self._refuse(401, "RepoNotFound", "Repository Not Found")
            return
        what, revision, inside = (*rest[:2], "/".join(rest[2:])) if rest else ("revision", "main", "")
        commits = {commit(files): files for files in revisions.values()}
        files = revisions.get(revision) or commits.get(revision)
        if files is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif what == "revision":
            siblings = [{"rfilename": path} for path in files]
            about = {"private": False, "tags": []}
            self._answer({"id": name, "sha": commit(files), "siblings": siblings} | about)
        elif what == "tree":
            self._answer(_listed(files, inside, whole="recursive=true" in self.path.lower()))
        elif what == "paths-info":
            asked = parse_qs(body.decode()).get("paths") or json.loads(body or b"{}").get("paths", [])
            self._answer([_entry(path, files[path]) for path in asked if path in files])
        elif what == "resolve" and inside in files:
            data = files[inside]
            self._send(200, data, {"ETag": f'"{_sha(data)}"', "X-Repo-Commit": commit(files)})
        else:
            self._refuse(404, "EntryNotFound", "Entry not found")

    do_HEAD = do_POST = do_GET

    def _answer(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str, said: str) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": said}
        self._send(status, json.dumps({"error": said}).encode(), headers)

    def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


def commit(files: Files) -> str:
    """The commit of some files."""
    return _sha("".join(f"{path} {_sha(data)}" for path, data in files.items()).encode())


def _sha(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def _entry(path: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "oid": _sha(data), "size": len(data)}


def _listed(files: Files, folder: str, *, whole: bool) -> list[dict[str, Any]]:
    """What is in a folder, or anywhere below it."""
    above = f"{folder}/" if folder else ""
    below = {path: data for path, data in files.items() if path.startswith(above)}
    names = {path.removeprefix(above).partition("/")[0] for path in below}
    folders = [f"{above}{name}" for name in sorted(names) if f"{above}{name}" not in files]
    there = [{"type": "directory", "path": path, "oid": _sha(path.encode()), "size": 0} for path in folders]
    return there + [_entry(p, d) for p, d in below.items() if whole or "/" not in p.removeprefix(above)]


@contextmanager
def data_sets(
    sets: Mapping[str, Mapping[str, Files]], private: frozenset[str] = frozenset()
) -> Iterator[DataSets]:
    """The hub, while the block runs."""
    hub = DataSets(sets, private)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
