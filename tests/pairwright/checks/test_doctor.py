"""`pairwright doctor`: good engines pass, and each kind of bad one is told what to do."""

from typing import Any

import pytest
from faultserver import FaultServer
from in_process import run
from plain_server import PlainServer, reply
from reward_toy import save_reward_model
from runs_on_disk import write_jsonl
from tiny_model import save_tiny_model


def lines_of(out: str) -> dict[str, str]:
    """Mark by what was examined; the second word of `disk, here` and the like is left off."""
    marks = ("ok", "FAILED", "-")
    found = (line.split(None, 1) for line in out.splitlines() if line.split(" ", 1)[0] in marks)
    return {rest.split("  ")[0].strip()[:20].strip(): mark for mark, rest in found}


def test_the_machine_alone(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "doctor")
    assert (code, err) == (0, "")
    found = lines_of(out)
    for what in ("versions", "processor", "memory", "disk, here", "disk, cache"):
        assert found[what] == "ok", out
    assert {"GPU", "vLLM", "API key"} <= set(found)
    assert "torch 2." in out


def test_an_honest_server(capfd: pytest.CaptureFixture[str]) -> None:
    with FaultServer() as server:
        code, out, err = run(capfd, "doctor", f"openai:m@{server.url}")
    assert (code, err) == (0, ""), out
    found = lines_of(out)
    examined = ("opens", "answers", "chat template", "choices enforced", "JSON schema enforced")
    for what in (*examined, "log-probabilities", "seeds", "throughput", "dialect"):
        assert found[what] == "ok", out
    assert "family: unknown; choices: vllm; schemas: schema; thoughts: no" in out


@pytest.mark.parametrize(
    ("least", "mark", "said"),
    [(500, "ok", "'Hello.'"), (10**6, "FAILED", "a thought of 2 tokens, and no answer")],
)
def test_a_model_that_thinks_before_it_greets(
    capfd: pytest.CaptureFixture[str], least: int, mark: str, said: str
) -> None:
    def thinks(body: dict[str, Any]) -> dict[str, Any]:
        return reply(body, "Hello." if body["max_tokens"] >= least else None, thought="Who is there?")

    with PlainServer(thinks) as server:
        _, out, _ = run(capfd, "doctor", f"openai:m@{server.url}")
    assert lines_of(out)["answers"] == mark, out
    assert said in out
    assert "instruct model" not in out


def test_a_server_that_ignores_constraints(capfd: pytest.CaptureFixture[str]) -> None:
    with FaultServer(constrains=False) as server:
        code, out, err = run(capfd, "doctor", f"openai:m@{server.url}")
    assert code == 1
    assert "2 of these failed" in err
    found = lines_of(out)
    assert found["choices enforced"] == found["JSON schema enforced"] == "FAILED"
    assert "ignores choices" in out
    assert "ignores JSON schemas" in out


@pytest.mark.parametrize(
    ("fault", "what", "advice"),
    [
        ("logprobs_missing", "log-probabilities", "--protocol choice or text"),
        ("logprob_twice", "log-probabilities", "--protocol choice or text"),
        ("content_empty", "answers", "instruct model"),
        ("unseeded", "seeds", "cannot be repeated exactly"),
        ("continued", "chat template", "--chat-template"),
        ("401", "works", "put this right"),
    ],
)
def test_each_fault_is_found_and_says_what_to_do(
    capfd: pytest.CaptureFixture[str], fault: str, what: str, advice: str
) -> None:
    with FaultServer(fault=fault) as server:
        code, out, err = run(capfd, "doctor", f"openai:m@{server.url}", "--deadline", "20")
    assert code == 1, out
    assert "failed" in err
    assert lines_of(out)[what] == "FAILED", out
    assert advice in out


def test_nobody_at_the_address(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "doctor", "openai:m@http://127.0.0.1:9/v1")
    assert code == 1
    assert lines_of(out)["opens"] == "FAILED"
    assert "no server answers at http://127.0.0.1:9/v1" in out


def test_a_model_without_a_chat_template(capfd: pytest.CaptureFixture[str], tmp_path) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    (tmp_path / "tiny" / "chat_template.jinja").unlink()
    code, out, _ = run(capfd, "doctor", f"hf:{folder}")
    assert code == 1
    assert "has no chat template" in out


def test_what_an_engine_does_not_claim_is_no_failure(capfd: pytest.CaptureFixture[str], tmp_path) -> None:
    """transformers holds no answer to a schema, and says so; the tiny model says anything else."""
    folder = save_tiny_model(tmp_path / "tiny")
    code, out, _ = run(capfd, "doctor", f"hf:{folder}")
    assert code == 0, out
    assert lines_of(out)["JSON schema enforced"] == "-"
    assert lines_of(out)["choices enforced"] == "ok"


def test_what_scores_answers_is_asked_for_scores(capfd: pytest.CaptureFixture[str], tmp_path) -> None:
    (tmp_path / "mine.py").write_text("def boom(prompt, answer, row):\n    return '5' in answer\n")
    code, out, _ = run(capfd, "doctor", f"python:{tmp_path}/mine.py:boom", "--function_processes", "1")
    assert (code, lines_of(out)["scores"]) == (0, "ok"), out
    assert "1.0 for '5 is larger than 3.', 0.0 for 'banana'" in out
    assert "mine:boom#" in out  # and no picture of one
    code, out, _ = run(capfd, "doctor", f"reward:{save_reward_model(tmp_path / 'rm')}")
    assert (code, lines_of(out)["scores"]) == (0, "ok"), out
    code, out, _ = run(capfd, "doctor", "check:contains(column='words')")
    assert code == 0, out
    assert "not tried: it wants `words` of a row" in out


def test_an_unknown_engine_is_a_usage_error(capfd: pytest.CaptureFixture[str], tmp_path) -> None:
    code, out, err = run(capfd, "doctor", "nosuch:model")
    assert (code, out) == (2, "")
    assert "unknown engine" in err
    path = write_jsonl(tmp_path / "r.jsonl", [{"text": "hello"}])
    code, out, _ = run(capfd, "doctor", f"canned:{path}")
    assert code == 1
    assert lines_of(out)["answers"] == "ok"


def test_a_key_is_never_shown(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRWRIGHT_API_KEY", "sk-canary-417")
    with FaultServer() as server:
        code, out, err = run(capfd, "doctor", f"openai:m@{server.url}")
    assert code == 0
    assert "in PAIRWRIGHT_API_KEY" in out
    assert "canary" not in out + err
    assert server.seen[0].headers["authorization"] == "Bearer sk-canary-417"
