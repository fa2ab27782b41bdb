"""What a server says to hold under a model's name is part of which model answered."""

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from runs_on_disk import rows_of, write_jsonl

from pairwright.errors import PairwrightError
from pairwright.folders.manifest import load_manifest
from pairwright.stages.sample import SampleConfig, sample


class Server:
    """Answers every question with its name, lists the model `m` with a root, and keeps what it was sent."""

    def __init__(self, name: str, root: str | None = None) -> None:
        self.name, self.root = name, root
        self.asked = 0
        self.keys: set[str | None] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                entry = {"id": "m"} | ({"root": server.root} if server.root else {})
                self._reply({"data": [entry]})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                server.asked += 1
                server.keys.add(self.headers.get("Authorization"))
                message = {"role": "assistant", "content": f"I am {server.name}, and this is my answer."}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                self._reply({"model": "m", "choices": [choice], "usage": {"completion_tokens": 8}})

            def _reply(self, value: object) -> None:
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing is printed."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_port}"
        self.spec = f"openai:m@http://{self.host}/v1"


@contextmanager
def serving(*servers: Server) -> Iterator[None]:
    for server in servers:
        threading.Thread(target=server.http.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        for server in servers:
            server.http.shutdown()
            server.http.server_close()


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("PAIRWRIGHT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def prompts(folder: Path, count: int = 3) -> str:
    return str(
        write_jsonl(folder / "prompts.jsonl", [{"prompt": f"Who are you, {n}?"} for n in range(count)])
    )


def said(folder: Path) -> set[str]:
    return {row["completion"][0]["content"].split(",")[0] for row in rows_of(folder)}


def test_another_model_under_the_same_name_at_the_same_server_is_noticed(tmp_path):
    server = Server("A", root="/models/first")
    source, out = prompts(tmp_path), tmp_path / "run"
    with serving(server):
        sample(SampleConfig(input=source, policy=server.spec, n=1, out=str(out)))
        assert load_manifest(out).engines["policy"].endswith("/v1#/models/first")
        server.name, server.root = "B", "/models/second"
        sample(SampleConfig(input=source, policy=server.spec, n=1, out=str(out), fresh=True))
    assert said(out) == {"I am B"}
    assert server.asked == 6


def begun(folder: Path, server: Server) -> SampleConfig:
    """A run of which nothing is left but how it was begun."""
    config = SampleConfig(input=prompts(folder), policy=server.spec, n=1, out=str(folder / "run"))
    sample(config)
    manifest = load_manifest(folder / "run")
    manifest.model_copy(update={"shards": {}, "complete": False}).save(folder / "run")
    with closing(sqlite3.connect(folder / "run/journal.sqlite")) as journal, journal:
        journal.execute("DELETE FROM completions")
    return config


def test_a_run_that_was_begun_with_another_model_is_not_gone_on_with(tmp_path):
    server = Server("A", root="/models/first")
    with serving(server):
        config = begun(tmp_path, server)
        server.root = "/models/second"
        with pytest.raises(PairwrightError, match=r"another model answers there now, .*second"):
            sample(config)
        server.root = "/models/first"
        found = sample(config)
    assert found.counts == {"kept": 3}


@pytest.mark.parametrize(("before", "now"), [("/models/first", None), (None, "/models/first")])
def test_what_a_server_no_longer_says_of_its_model_is_said(tmp_path, caplog, before, now):
    server = Server("A", root=before)
    with serving(server):
        config = begun(tmp_path, server)
        server.root = now
        with caplog.at_level(logging.WARNING):
            found = sample(config)
    assert found.counts == {"kept": 3}
    assert f"it was {before or 'not said'} and is {now or 'not said'} now" in caplog.text
