"""A real vLLM server behind the `openai:` engine. `make test-vllm` sets it up and runs this."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import ask, job
from in_process import run
from real_servers import RealServer
from runs_on_disk import rows_of, write_jsonl
from vllm_processes import vllm_server

from judge.command import judge
from judge.config import JudgeConfig
from pairwright.engines.openai.engine import OpenAIEngine
from pairwright.engines.options import EngineOptions
from pairwright.errors import PairwrightError
from pairwright.folders.manifest import load_manifest
from pairwright.stages.sample import SampleConfig, sample

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    running = vllm_server(tmp_path_factory.mktemp("vllm") / "log")
    yield running
    running.kill()


@pytest.fixture
def engine(server: RealServer) -> Iterator[OpenAIEngine]:
    opened = OpenAIEngine(
        "smollm2", server.url, EngineOptions(deadline=120), f"openai:smollm2@{server.url}"
    )
    yield opened
    opened.close()


def config(folder: Path, server: RealServer, prompts: int, **settings: object) -> SampleConfig:
    path = write_jsonl(folder / "p.jsonl", [{"prompt": f"Name {n + 2} fruits."} for n in range(prompts)])
    values = {"input": str(path), "policy": f"openai:smollm2@{server.url}", "out": str(folder / "run")}
    return SampleConfig(**({"n": 2, "max_tokens": 48, "deadline": 60.0} | values | settings))


def test_a_run_is_accounted_for_and_asks_nothing_again(server: RealServer, tmp_path: Path) -> None:
    manifest = sample(config(tmp_path, server, 12))
    assert manifest is not None
    assert sum(manifest.counts.values()) == 24 == len(rows_of(tmp_path / "run"))
    assert set(manifest.counts) <= {"kept", "truncated"}
    before = rows_of(tmp_path / "run")
    (tmp_path / "run" / "data" / "train-00000.parquet").unlink(missing_ok=True)
    sample(config(tmp_path, server, 12))
    assert rows_of(tmp_path / "run") == before


def test_choices_are_enforced_by_the_server_itself(engine: OpenAIEngine) -> None:
    [completion] = ask(engine, [job("Which is a fruit?", choices=("stone", "apple"))], within=120)
    assert completion.failure is None
    assert completion.text in ("stone", "apple")


def test_log_probabilities_are_there_and_normalised(engine: OpenAIEngine) -> None:
    [completion] = ask(engine, [job("Say hello.", logprobs=5)], within=120)
    assert completion.failure is None
    assert all(len(position) >= 5 for position in completion.top_logprobs)
    assert all(value <= 0 for position in completion.top_logprobs for value in position.values())


@pytest.mark.parametrize("protocol", ["choice", "logprob"])
def test_a_judge_over_http_is_held_to_the_labels(server: RealServer, tmp_path: Path, protocol: str) -> None:
    """Every vote is one of the two labels, or has its probability; the 135M model says neither freely."""
    rows = [
        {"prompt": f"What is {n} + 1?", "response_a": f"{n + 1}", "response_b": "A fish."} for n in range(6)
    ]
    manifest = judge(
        JudgeConfig(
            input=str(write_jsonl(tmp_path / "rows.jsonl", rows)),
            judge=f"openai:smollm2@{server.url}",
            protocol=protocol,
            out=str(tmp_path / "run"),
            reasoning_tokens=24,
            deadline=600.0,
            min_label_mass=0.0,
        )
    )
    assert manifest is not None
    assert sum(manifest.counts.values()) == 6
    assert not {"failed", "unparsed"} & set(manifest.counts)
    votes = [vote for row in rows_of(tmp_path / "run") for vote in row["verdict"]["votes"]]
    assert len(votes) == 12
    for vote in votes:
        assert 0 <= vote["probability"] <= 1
        assert re.fullmatch("[A-Z]", vote["label"])
        if protocol == "logprob":
            assert 0 <= vote["outside_mass"] <= 1
        else:  # nothing stands outside the labels that an answer is held to
            assert vote["outside_mass"] is None
            assert vote["reply"].rpartition("\n\n")[2] == vote["label"]


def test_the_doctor_finds_a_real_server_well(server: RealServer, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "doctor", f"openai:smollm2@{server.url}")
    assert (code, err) == (0, ""), out
    for what in (
        "answers",
        "chat template",
        "choices enforced",
        "JSON schema enforced",
        "log-probabilities",
    ):
        assert re.search(rf"^ok +{what} ", out, re.MULTILINE), out


def test_a_prompt_beyond_the_context_fails_alone(engine: OpenAIEngine) -> None:
    long, short = ask(engine, [job("word " * 3000), job("Say hello.")], within=120)
    assert long.failure is not None
    assert long.failure.startswith("context_overflow")
    assert short.failure is None


def test_a_killed_server_loses_nothing(server: RealServer, tmp_path: Path) -> None:
    settings = config(tmp_path, server, 40, deadline=60.0, max_concurrency=8)
    killer = subprocess.Popen(["sh", "-c", f"sleep 4; kill -9 -{server.process.pid}"])
    with pytest.raises(PairwrightError, match="run the same command again"):
        sample(settings)
    killer.wait()
    server.process.wait()
    server.start()
    manifest = sample(settings)
    assert manifest is not None
    assert sum(manifest.counts.values()) == 80
    assert "failed" not in load_manifest(tmp_path / "run").counts
