"""Runs whose requests go in batch jobs, for tests."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batch_server import BatchServer
from plain_server import PlainServer
from runs_on_disk import write_jsonl

from pairwright.folders.manifest import Manifest
from pairwright.stages.sample import SampleConfig, sample

PROMPTS = 20


def sampled(
    folder: Path, server: BatchServer | PlainServer, rows: int = PROMPTS, **settings: Any
) -> Manifest | None:
    """Sample an answer to each of some prompts by batch jobs."""
    path = folder / "prompts.jsonl"
    if not path.exists():
        write_jsonl(path, ({"prompt": f"say {n}"} for n in range(rows)))
    values = {
        "input": str(path),
        "policy": f"openai:m@{server.url}",
        "n": 1,
        "out": str(folder / "run"),
        "batch": True,
        "shard_size": 8,
        "deadline": 60.0,
    }
    return sample(SampleConfig(**(values | settings)))


def interrupted_when(true: Callable[[], bool]) -> threading.Thread:
    """Press Ctrl-C once something is so."""

    def press() -> None:
        ends = time.monotonic() + 20.0
        while not true() and time.monotonic() < ends:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press, daemon=True)
    thread.start()
    return thread


def sent(server: BatchServer) -> list[int]:
    """How many requests each job held."""
    return [len(work.lines) for work in server.works]
