"""Real servers of other makers: every command that asks an engine, against each.

`make test-servers` runs those of `transformers serve`, `make test-llama-cpp` those of llama.cpp's server,
each with an environment for it. The embedded model is served: its 4 bits by llama.cpp as they come, its
float32 by transformers.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from in_process import run
from places import ROOT
from real_servers import RealServer
from runs_on_disk import rows_of, write_jsonl
from vllm_processes import vllm_server

from judge.calibration.calibration import load_calibration
from judge.calibration.command import calibrate
from judge.calibration.config import CalibrateConfig
from judge.command import judge
from judge.config import JudgeConfig
from pairwright.errors import PairwrightError
from pairwright.models.smollm2 import smollm2_folder, smollm2_gguf
from pairwright.stages.sample import SampleConfig, sample
from revise.command import revise
from revise.config import ReviseConfig

TRANSFORMERS = Path(os.environ.get("PAIRWRIGHT_SERVERS", ROOT / ".venv-servers"))
LLAMA_CPP = Path(os.environ.get("PAIRWRIGHT_LLAMA_CPP", ROOT / ".venv-llama-cpp")) / "bin" / "python"
ASKED: dict[str, Any] = {"max_concurrency": 2, "deadline": 300}
PROMPTS = ["Name a fruit."]
PAIRS = [
    {"prompt": "Name a fruit.", "response_a": "A pear.", "response_b": "no", "preference": 1},
    {"prompt": "Say hello.", "response_a": "My car is blue.", "response_b": "Hello!", "preference": 2},
]
pytestmark = pytest.mark.timeout(600)


def transformers_serve(log: Path) -> RealServer:
    model = str(smollm2_folder())
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", model]
    command += ["--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", "{port}"]
    return RealServer(command, model, log, {"PYTHONPATH": str(TRANSFORMERS)})


def llama_cpp(log: Path) -> RealServer:
    command = [str(LLAMA_CPP), "-m", "llama_cpp.server", "--model", str(smollm2_gguf())]
    command += ["--model_alias", "smollm2", "--n_ctx", "1024", "--n_threads", "1", "--logits_all", "true"]
    return RealServer([*command, "--host", "127.0.0.1", "--port", "{port}"], "smollm2", log)


STARTED: dict[str, Callable[[Path], RealServer]] = {
    "vLLM": vllm_server,
    "transformers serve": transformers_serve,
    "llama-cpp-python": llama_cpp,
}


LLAMA = pytest.param("llama-cpp-python", marks=pytest.mark.llama_cpp)


TRANSFORMERS_SERVE = pytest.param("transformers serve", marks=pytest.mark.servers)
VLLM = pytest.param("vLLM", marks=pytest.mark.vllm)


@pytest.fixture(scope="module", params=[TRANSFORMERS_SERVE, LLAMA, VLLM])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(family: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    running = STARTED[family](tmp_path_factory.mktemp("server") / "log")
    yield running
    running.kill()


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    return str(write_jsonl(tmp_path / "pairs.jsonl", PAIRS))


def judging(server: RealServer, pairs: str, out: Path, protocol: str) -> JudgeConfig:
    given: dict[str, Any] = {"reasoning_tokens": 4, "max_failed": 1.0, "min_label_mass": 0.0}
    return JudgeConfig(input=pairs, judge=server.spec, protocol=protocol, out=str(out), **given, **ASKED)


def test_sample(server: RealServer, family: str, tmp_path: Path) -> None:
    prompts = write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": p} for p in PROMPTS])
    given: dict[str, Any] = {"policy": server.spec, "n": 2, "max_tokens": 4}
    sampled = sample(SampleConfig(input=str(prompts), out=str(tmp_path / "run"), **given, **ASKED))
    assert sampled is not None
    assert sampled.counts.keys() <= {"kept", "truncated"}
    assert sampled.dialects["policy"]["family"] == family
    rows = rows_of(tmp_path / "run")
    assert len(rows) == 2 * len(PROMPTS)
    assert all(row["completion"][0]["content"] for row in rows)


def test_revise(server: RealServer, tmp_path: Path) -> None:
    """The embedded model seldom keeps to the form; what it says is accounted for all the same."""
    rows = [{"prompt": p, "completion": "Banana is a fruit, and I like it."} for p in PROMPTS]
    path = write_jsonl(tmp_path / "answers.jsonl", rows)
    given: dict[str, Any] = {"reviser": server.spec, "max_tokens": 8, "tries": 1}
    revised = revise(ReviseConfig(input=str(path), out=str(tmp_path / "run"), **given, **ASKED))
    assert revised is not None
    assert sum(revised.counts.values()) == len(PROMPTS)
    assert "failed" not in revised.counts


def test_judge_in_words(server: RealServer, pairs: str, tmp_path: Path) -> None:
    judged = judge(judging(server, pairs, tmp_path / "run", "text"))
    assert judged is not None
    assert "failed" not in judged.counts
    assert len(rows_of(tmp_path / "run")) == len(PAIRS)


@pytest.mark.parametrize(("protocol", "instead"), [("choice", "text, or logprob"), ("logprob", "text")])
def test_judge_by_labels(
    server: RealServer, family: str, pairs: str, tmp_path: Path, protocol: str, instead: str
) -> None:
    """Transformers has neither choices nor log-probabilities, which is said before any row is judged."""
    config = judging(server, pairs, tmp_path / "run", protocol)
    if family == "transformers serve":
        with pytest.raises(PairwrightError, match=f"--protocol {instead}"):
            judge(config)
        return
    judged = judge(config)
    assert judged is not None
    assert not {"failed", "unparsed"} & judged.counts.keys()
    votes = [vote for row in rows_of(tmp_path / "run") for vote in row["verdict"]["votes"]]
    assert len(votes) == 2 * len(PAIRS)
    assert all(vote["label"].isalpha() for vote in votes)


@pytest.mark.parametrize("protocol", ["score", "rank"])
def test_judge_by_marks_and_ranks(
    server: RealServer, family: str, pairs: str, tmp_path: Path, protocol: str
) -> None:
    """A score can be read as it is written; a ranking by first tokens cannot."""
    config = judging(server, pairs, tmp_path / "run", protocol)
    if (family, protocol) == ("transformers serve", "rank"):
        with pytest.raises(PairwrightError, match="--protocol text"):
            judge(config)
        return
    judged = judge(config)
    assert judged is not None
    assert "failed" not in judged.counts
    assert len(rows_of(tmp_path / "run")) == len(PAIRS)


def test_calibrate(server: RealServer, pairs: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"protocol": "text", "reasoning_tokens": 4}
    calibrate(CalibrateConfig(input=pairs, judge=server.spec, out=str(tmp_path / "run"), **given, **ASKED))
    measured = load_calibration(tmp_path / "run")
    assert measured.pairs == len(PAIRS)


@pytest.mark.parametrize("family", [LLAMA], indirect=True)
def test_the_doctor_names_the_server(
    server: RealServer, family: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Fifty questions, of which each takes `transformers serve` some seconds."""
    code, out, err = run(capfd, "doctor", server.spec)
    assert (code, err) == (0, ""), out
    assert family in out
