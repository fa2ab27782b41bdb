"""A server that is at another address than when its answers were made: nothing is asked twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from in_process import quietly, run
from plain_server import PlainServer, reply


def text(body: dict[str, Any]) -> dict[str, Any]:
    return reply(body, f"About {body['messages'][-1]['content']}")


def two_of_three(body: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"message": "no"}} if body["messages"][-1]["content"] == "2?" else text(body)


def test_a_run_goes_on_where_its_server_is_now(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"prompt": f"{n}?"}) + "\n" for n in range(3)))
    argv = f"sample {rows} --n 1 --out {tmp_path}/run --policy".split()
    with PlainServer(two_of_three) as old:
        run(capfd, *argv, f"openai:m@{old.url}")
    assert [body["messages"][-1]["content"] for body in old.bodies].count("2?") == 1
    with PlainServer(text) as new:
        code, _, said = run(capfd, *argv, f"openai:m@{new.url}")
        assert code == 2
        assert f"add --server_moved {old.url}={new.url}" in said
        quietly(*argv, f"openai:m@{old.url}", "--server_moved", f"{old.url}={new.url}")
    assert [body["messages"][-1]["content"] for body in new.bodies] == ["2?"]


def test_what_is_no_move_is_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    argv = ["sample", "x.jsonl", "--policy", "openai:m@http://a/v1", "--out", "x"]
    code, _, said = run(capfd, *argv, "--server_moved", "http://b/v1")
    assert code == 2
    assert "write OLD=NEW, two URLs" in said
    code, _, said = run(capfd, *argv, "--server_moved", "http://a/v1=http://me:pass-word@b/v1")
    assert code == 2
    assert "--server_moved: no user or password in the URL" in said
    assert "pass-word" not in said
