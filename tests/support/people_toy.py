"""A reviewed run, and the server of its page, for tests."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from runs_on_disk import revise_config

from pairwright.people.serving import Answer, application, hosts_of
from revise import revise

TOKEN = "the-token-of-this-test"


def revised(folder: Path, rows: int = 40) -> Path:
    """A run with kept rows and with dropped ones of several endings."""
    revise(revise_config(folder, rows))
    return folder / "run"


@contextmanager
def served(page: str, answers: Mapping[str, Answer]) -> Iterator[str]:
    """The page at an address of this machine."""
    config = uvicorn.Config(None, port=0, log_level="error", lifespan="off")  # type: ignore[arg-type]
    listener = config.bind_socket()
    port = listener.getsockname()[1]
    config.app = application(page, answers, token=TOKEN, hosts=hosts_of("127.0.0.1", port))
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()


def question(client: Any, name: str, **fields: Any) -> Any:
    """What the server answers to a question of the page."""
    reply = client.post(f"/api/{name}", json=fields, headers={"Authorization": f"Bearer {TOKEN}"})
    return reply.status_code, reply.json()
