"""Real servers of other makers, with the embedded model: every command that asks an engine, against each.

`make test-servers` makes an environment of their own for them.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from places import ROOT
from runs_on_disk import rows_of, write_jsonl

from judge.calibration.command import calibrate
from judge.calibration.config import CalibrateConfig
from judge.command import judge
from judge.config import JudgeConfig
from pairwright.errors import PairwrightError
from pairwright.models.smollm2 import smollm2_folder
from pairwright.stages.sample import SampleConfig, sample
from revise.command import revise
from revise.config import ReviseConfig

PYTHON = Path(os.environ.get("PAIRWRIGHT_SERVERS", ROOT / ".venv-servers")) / "bin" / "python"
pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]
PROMPTS = ["Name a fruit.", "Say hello."]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Running:
    """A server while it runs, and what it may be called."""

    def __init__(self, command: list[str], port: int, model: str, log: Path) -> None:
        self.spec = f"openai:{model}@http://127.0.0.1:{port}/v1"
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
        environment.pop("PYTHONPATH", None)
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [str(PYTHON), *command], env=environment, stdout=out, stderr=out, start_new_session=True
            )
        for _ in range(240):
            assert self.process.poll() is None, log.read_text()[-3000:]
            try:
                httpx.get(f"http://127.0.0.1:{port}/v1/models")
                return
            except httpx.HTTPError:
                time.sleep(0.5)
        raise AssertionError(log.read_text()[-3000:])

    def end(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)


@pytest.fixture(scope="module")
def transformers_serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    port, model = free_port(), str(smollm2_folder())
    command = ["-m", "transformers.cli.transformers", "serve", model, "--device", "cpu", "--dtype", "float32"]
    log = tmp_path_factory.mktemp("serve") / "log"
    running = Running([*command, "--host", "127.0.0.1", "--port", str(port)], port, model, log)
    yield running
    running.end()


def test_transformers_serve(transformers_serve: Running, tmp_path: Path) -> None:
    spec, asked = transformers_serve.spec, {"max_concurrency": 2, "deadline": 300}
    prompts = write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": p} for p in PROMPTS])
    sampled = sample(
        SampleConfig(
            input=str(prompts), policy=spec, n=2, max_tokens=8, out=str(tmp_path / "sampled"), **asked
        )
    )
    assert sampled is not None
    assert sampled.counts.keys() <= {"kept", "truncated"}
    assert sampled.dialects["policy"]["family"] == "transformers serve"

    answers = [{"prompt": p, "completion": "Banana is a fruit, and I like it."} for p in PROMPTS]
    path = write_jsonl(tmp_path / "answers.jsonl", answers)
    revised = revise(
        ReviseConfig(input=str(path), reviser=spec, max_tokens=16, tries=1, out=str(tmp_path / "revised"), **asked)
    )
    assert revised is not None
    assert sum(revised.counts.values()) == len(PROMPTS)
    assert "failed" not in revised.counts

    pairs = [
        {"prompt": p, "response_a": "Hello, a pear, 4.", "response_b": "no", "preference": 1}
        for p in PROMPTS
    ]
    path = write_jsonl(tmp_path / "pairs.jsonl", pairs)
    judged = judge(
        JudgeConfig(
            input=str(path), judge=spec, protocol="text", reasoning_tokens=8, max_failed=1.0,
            out=str(tmp_path / "text"), **asked,
        )
    )  # fmt: skip
    assert judged is not None
    assert "failed" not in judged.counts
    assert len(rows_of(tmp_path / "text")) == len(PROMPTS)
    for protocol, said in (("choice", "--protocol logprob or text"), ("logprob", "--protocol")):
        config = JudgeConfig(
            input=str(path), judge=spec, protocol=protocol, out=str(tmp_path / protocol), **asked
        )
        with pytest.raises(PairwrightError, match=said):
            judge(config)
    calibrated = calibrate(
        CalibrateConfig(
            input=str(path), judge=spec, protocol="text", attacks=0, reasoning_tokens=8,
            out=str(tmp_path / "calibrated"), **asked,
        )
    )  # fmt: skip
    assert calibrated is not None
