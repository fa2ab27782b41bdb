"""Tools on the way to a server and back, and calls that stand in an answer's text."""

import json
from pathlib import Path
from typing import Any

import pytest
from in_process import quietly, run
from plain_server import PlainServer, reply
from runs_on_disk import rows_of

from pairwright.engines.calls import with_calls
from pairwright.records import Completion

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
OSLO = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}


def calls(body: dict[str, Any]) -> dict[str, Any]:
    said = reply(body, None, tool_calls=[OSLO])
    said["choices"][0]["finish_reason"] = "tool_calls"
    return said


def written(folder: Path, **row: Any) -> str:
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return f"{folder}/rows.jsonl"


def test_a_server_is_sent_tools_and_its_calls_are_kept_whole(tmp_path: Path) -> None:
    talked = [
        {"role": "user", "content": "Is it warm?"},
        {"role": "assistant", "content": None, "tool_calls": [OSLO]},
        {"role": "tool", "content": "-3 C", "tool_call_id": "c1"},
    ]
    source = written(tmp_path, prompt=talked, tools=[TOOL], chat_template_kwargs={"enable_thinking": False})
    with PlainServer(calls) as server:
        quietly(*f"sample {source} --policy openai:m@{server.url} --n 1 --out {tmp_path}/run".split())
    [body] = server.bodies
    assert body["messages"] == talked
    assert body["tools"] == [TOOL]
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    [row] = rows_of(tmp_path / "run")
    [answer] = row["completion"]
    assert [answer["content"], answer["tool_calls"]] == ["", [OSLO]]


def test_answers_that_call_tools_are_not_revised_or_compared(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = written(
        tmp_path, prompt="Is it warm?", completion=[{"role": "assistant", "tool_calls": [OSLO]}]
    )
    code, _, said = run(
        capfd, "revise", source, "--reviser", f"canned:{source}", "--out", f"{tmp_path}/run"
    )
    assert code == 2
    assert "rows.jsonl line 1: `completion` is an answer that calls a tool (`weather`)" in said


def test_what_a_server_would_not_show_stops_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path, prompt="Is it warm?", documents=[{"text": "Cold."}])
    with PlainServer(lambda body: reply(body, "No."), [{"id": "m", "owned_by": "tgi"}]) as server:
        argv = f"sample {source} --policy openai:m@{server.url} --n 1 --out {tmp_path}/run".split()
        assert run(capfd, *argv)[0] == 0  # a server with a template of its own
        assert server.bodies[0]["documents"] == [{"text": "Cold."}]
    with PlainServer(lambda body: reply(body, "No."), [{"id": "m", "owned_by": "library"}]) as server:
        argv = f"sample {source} --policy openai:m@{server.url} --n 1 --out {tmp_path}/other".split()
        code, _, said = run(capfd, *argv)
    assert (code, server.bodies) == (1, [])
    assert "is asked as Ollama is, which shows no `documents` of a row to its model" in said


@pytest.mark.parametrize(
    ("text", "left", "cities"),
    [
        ('Look:\n<tool_call>\n{"name": "w", "arguments": {"c": "Oslo"}}\n</tool_call>', "Look:", ["Oslo"]),
        ('<tool_call>{"name": "w", "arguments": {"c": 1}}</tool_call>\n' * 2, "", [1, 1]),
        ('<tool_call>{"name": "w", "arguments": {"c": {"d": "</e>"}}}</tool_call>', "", [{"d": "</e>"}]),
    ],
)
def test_calls_in_a_text_are_told_apart(text: str, left: str, cities: list[Any]) -> None:
    found = with_calls(Completion(text=text))
    assert found.text == left
    assert [json.loads(call.function.arguments)["c"] for call in found.tool_calls] == cities


@pytest.mark.parametrize(
    "text",
    [
        "A `<tool_call>` is a mark.",
        '<tool_call>{"name": "w"',
        '<tool_call>{"name": 7}</tool_call>',
        '<tool_call>{"name": "w", "arguments": {}}</tool_call> and more',
        "<tool_call>{not json}</tool_call>",
    ],
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert with_calls(Completion(text=text)) == Completion(text=text)


def test_a_run_of_failures_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path, prompt="Is it warm?", tools=[TOOL])
    refusal = {"error": {"message": "this model calls no tools"}}
    with PlainServer(lambda body: refusal) as server:
        argv = f"sample {source} --policy openai:m@{server.url} --n 1 --out {tmp_path}/run".split()
        code, _, said = run(capfd, *argv)
    assert code == 1
    assert "this model calls no tools" in said
