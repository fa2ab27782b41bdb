"""A reviewed run, and the server of its page, for tests."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from planted_judge import candidates, choosing, plant, seed
from runs_on_disk import revise_config, write_jsonl

from judge.command import judge
from judge.config import JudgeConfig
from judge.stage import JudgeStage
from pairwright.people.serving import Answer, application, hosts_of
from revise import revise

TOKEN = "the-token-of-this-test"


def revised(folder: Path, rows: int = 40) -> Path:
    """A run with kept rows and with dropped ones of several endings."""
    revise(revise_config(folder, rows))
    return folder / "run"


def judged(folder: Path, chooses: Callable[[Any], bool] = lambda asked: asked.first > asked.second) -> Path:
    """A run of six pairs by a judge that takes the answer of the higher grade, or as it is said."""
    rows = [{"prompt": f"Q{n}?", "a": f"grade 1 of {n}", "b": f"grade 2 of {n}"} for n in range(6)]
    config = JudgeConfig(
        input=str(write_jsonl(folder / "rows.jsonl", rows)),
        columns="a,b",
        judge=f"canned:{seed(folder / 'judge.jsonl')}",
        out=str(folder / "judged"),
        max_failed=1.0,
    )
    given = candidates(folder / "rows.jsonl", "a", "b")
    plant(folder / "judge.jsonl", JudgeStage(config), given, choosing(chooses))
    judge(config)
    return folder / "judged"


def labelled(labelling: Any, count: int, answer: str = "tie") -> list[str]:
    """The places of the next pairs that a person gets, each of which gets that answer."""
    places: list[str] = []
    while len(places) < count and (pair := labelling.next({})["pair"]) is not None:
        labelling.label({"place": pair["place"], "turned": pair["turned"], "answer": answer})
        places.append(pair["place"])
    return places


@contextmanager
def served(page: str, answers: Mapping[str, Answer], *, framed: bool = False) -> Iterator[str]:
    """The page at an address of this machine."""
    config = uvicorn.Config(None, port=0, log_level="error", lifespan="off")  # type: ignore[arg-type]
    listener = config.bind_socket()
    port = listener.getsockname()[1]
    config.app = application(page, answers, token=TOKEN, hosts=hosts_of("127.0.0.1", port), framed=framed)
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
