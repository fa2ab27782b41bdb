"""A judge behind HTTP: constrained choices, answers that are no verdict, and a server that misbehaves."""

import pytest
from faultserver import FaultServer
from plain_server import PlainServer, reply
from runs_on_disk import rows_of, write_jsonl

from judge.calibration.command import calibrate
from judge.calibration.config import CalibrateConfig
from judge.command import judge
from judge.config import JudgeConfig
from pairwright.errors import PairwrightError
from pairwright.folders.manifest import load_manifest


def run(folder, protocol, prompts):
    rows = [{"prompt": p, "response_a": f"a {n}", "response_b": f"b {n}"} for n, p in enumerate(prompts)]
    path = write_jsonl(folder / "rows.jsonl", rows)
    with FaultServer() as server:
        config = JudgeConfig(
            input=str(path), judge=f"openai:m@{server.url}", protocol=protocol, out=str(folder / "run"),
            max_failed=1.0, reasoning_tokens=64,
        )  # fmt: skip
        manifest = judge(config)
    assert manifest is not None
    assert load_manifest(folder / "run") == manifest
    way = {"choices": "vllm"} if protocol == "choice" else {}
    assert manifest.dialects == {"judge": {"family": "unknown", **way, "thoughts": "no"}}
    return manifest.counts, rows_of(folder / "run"), server


def test_a_choice_is_asked_for_after_reasoning_and_obeyed(tmp_path):
    counts, rows, server = run(tmp_path, "choice", [f"Q{n}?" for n in range(12)])
    assert sum(counts.values()) == 12
    assert set(counts) <= {"kept", "inconsistent", "tie"}
    probe, *held = [seen.body for seen in server.seen if "structured_outputs" in seen.body]
    assert probe["messages"][0]["content"].startswith("What is the capital of France?")
    assert len(held) == 24
    for body in held:
        assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
        assert len(body["structured_outputs"]["choice"]) == 2
        assert body["temperature"] == 0
    votes = [vote for row in rows for vote in row["verdict"]["votes"]]
    assert all(vote["reply"].startswith("answer ") for vote in votes)
    assert {vote["probability"] is None for vote in votes} == {False}


def test_a_server_that_ignores_choices_is_refused_before_any_verdict(tmp_path):
    """It would answer now and then what was asked for, and only those verdicts would be kept."""
    rows = [{"prompt": f"Q{n}?", "response_a": "a", "response_b": "b"} for n in range(200)]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    with FaultServer(constrains=False) as server:
        config = JudgeConfig(
            input=str(path), judge=f"openai:m@{server.url}", protocol="choice", out=str(tmp_path / "run"),
        )  # fmt: skip
        with pytest.raises(PairwrightError, match=r"ignores choices .*--protocol text, or logprob"):
            judge(config)
    held = [seen for seen in server.seen if "structured_outputs" in seen.body]
    assert {seen.prompt for seen in held} == {"What is the capital of France? Answer in one word."}


def test_a_server_that_says_something_else_is_unparsed_and_one_that_breaks_has_failed(tmp_path):
    counts, rows, _ = run(tmp_path, "logprob", ["Q1?", "Q2? [[fault:logprob_nan]]", "Q3?"])
    assert counts == {"unparsed": 2, "failed": 1}
    [failed] = [row for row in rows if row["status"] == "failed"]
    assert "log-probability" in failed["reason"]
    assert failed["verdict"] is None
    outside = [v["outside_mass"] for row in rows if row["verdict"] for v in row["verdict"]["votes"]]
    assert set(outside) == {1.0}


@pytest.mark.parametrize("how", ["ignores them", "refuses them"])
@pytest.mark.parametrize("command", ["judge", "calibrate"])
def test_a_server_without_log_probabilities_is_refused_before_the_first_row(tmp_path, how, command):
    def answer(body):
        if how == "refuses them" and "logprobs" in body:
            message = "`logprobs` is not supported with this model"
            return {"error": {"message": message, "param": "logprobs"}}
        return reply({}, "A")

    labelled = [
        {"prompt": f"Q{n}?", "response_a": "a", "response_b": "b", "preference": 1} for n in range(9)
    ]
    path = str(write_jsonl(tmp_path / "rows.jsonl", labelled))
    run, kind = {"judge": (judge, JudgeConfig), "calibrate": (calibrate, CalibrateConfig)}[command]
    with PlainServer(answer) as server:
        given = {"judge": f"openai:m@{server.url}", "protocol": "logprob", "out": str(tmp_path / "run")}
        config = kind(input=path, **given)
        with pytest.raises(PairwrightError, match="no log-probabilities; judge with --protocol text, or"):
            run(config)
    assert len(server.bodies) == 1
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(("protocol", "said"), [("logprob", "A"), ("rank", "A"), ("score", "1")])
def test_a_first_token_that_is_not_that_of_the_reply_is_no_verdict(tmp_path, protocol, said):
    """Whatever labels were drawn: it tells of all letters but the one that it wrote."""

    def answer(body):
        top = [{"token": token, "logprob": -3.0} for token in "BCDEFGHIJKLMNOPQRSTUVWXY234"]
        found = reply(body, said)
        if body.get("logprobs"):
            found["choices"][0]["logprobs"]["content"] = [{**top[0], "top_logprobs": top}]
        return found

    rows = [{"prompt": f"Q{n}?", "response_a": "a", "response_b": "b"} for n in range(3)]
    path = str(write_jsonl(tmp_path / "rows.jsonl", rows))
    with PlainServer(answer) as server:
        spec = f"openai:m@{server.url}"
        given = {"judge": spec, "protocol": protocol, "out": str(tmp_path / "run"), "max_failed": 1.0}
        manifest = judge(JudgeConfig(input=path, **given))
    assert manifest is not None
    assert manifest.counts == {"unparsed": 3}
    why = "the first token that is told of is not that of the reply"
    assert all(row["reason"].endswith(why) for row in rows_of(tmp_path / "run"))
