"""Real servers of other makers as tests start them: each in a session of its own, asked over HTTP."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

_SECONDS = 600.0
"""Most that a start may take: vLLM's takes half a minute of two cores that nobody else uses."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class RealServer:
    """A server that can be started again at its old address. `{port}` in its command is the port."""

    def __init__(
        self, command: Sequence[str], model: str, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port, self.log = free_port(), log
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.spec = f"openai:{model}@{self.url}"
        self._command = [word.format(port=self.port) for word in command]
        mine = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | dict(environment or {})
        self._environment = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"} | mine
        self.start()

    def start(self) -> None:
        """Start it, and wait until it lists its models."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        ends = time.monotonic() + _SECONDS
        while time.monotonic() < ends:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                if httpx.get(f"{self.url}/models").status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.5)
        self.kill()
        raise AssertionError(self.log.read_text()[-3000:])

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
