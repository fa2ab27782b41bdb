"""vLLM as tests start it, and its processes as they see them."""

import os
import sqlite3
import time
from pathlib import Path

from places import ROOT
from real_servers import RealServer

from pairwright.engines.options import EngineOptions
from pairwright.engines.vllm.engine import VLLMEngine
from pairwright.models.smollm2 import smollm2_folder

PYTHON = Path(os.environ.get("PAIRWRIGHT_VLLM_PYTHON", ROOT / ".venv-vllm" / "bin" / "python"))
SETTINGS = {
    "python": str(PYTHON),
    "max_model_len": "512",
    "max_num_seqs": "16",
    "enforce_eager": "true",  # compiling takes a minute and more of two cores
}
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")


def opened(model: str = "smollm2", **settings: str) -> VLLMEngine:
    return VLLMEngine(model, EngineOptions(engine=SETTINGS | settings), f"vllm:{model}")


def vllm_server(log: Path) -> RealServer:
    """vLLM's server of the embedded model; without compiling, which takes minutes of two busy cores."""
    command = [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server"]  # what `vllm serve` runs
    command += ["--model", str(smollm2_folder()), "--served-model-name", "smollm2", "--enforce-eager"]
    command += ["--no-enable-chunked-prefill", "--port", "{port}", "--max-model-len", "1024"]
    return RealServer([*command, "--max-num-seqs", "32"], "smollm2", log)


def alive(group: int) -> list[str]:
    """What still lives in a session: name and state of each process, but for the dead unburied."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        state, _, _, session = rest.split()[:4]
        if int(session) == group and state != "Z":
            found.append(name)
    return found


def wait_until_dead(group: int, seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while left := alive(group):
        assert time.monotonic() < ends, left
        time.sleep(0.05)


def worker_of(group: int) -> int:
    """The process that drives vLLM: the child of the keeper."""
    [worker] = Path(f"/proc/{group}/task/{group}/children").read_text().split()
    return int(worker)


def finished(journal: Path) -> int:
    try:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as db:
            [table] = db.execute("select name from sqlite_master where type = 'table'").fetchone()
            return int(db.execute(f"select count(*) from {table}").fetchone()[0])
    except (sqlite3.Error, TypeError):
        return 0


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found
