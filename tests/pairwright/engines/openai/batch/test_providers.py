"""The batch jobs of Anthropic and of Gemini: what is sent, what is read, and what is found again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import job, openai_engine
from batch_runs import interrupted_when, sampled, sent
from batch_server import BatchServer
from runs_on_disk import rows_of

from pairwright.engines.openai.batch import jobs
from pairwright.engines.openai.batch.anthropic import as_messages
from pairwright.engines.openai.batch.gemini import as_contents
from pairwright.engines.openai.batch.store import BatchStore
from pairwright.engines.openai.engine import OpenAIEngine
from pairwright.records import Completion, Finished, Job
from pairwright.terminal.interrupt import Interrupted

URLS = {
    "anthropic": "http://api.anthropic.com/v1",
    "gemini": "http://generativelanguage.googleapis.com/v1beta/openai",
}
BODY = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "again"},
    ],
    "max_tokens": 16,
    "temperature": 0.5,
    "top_p": 1.0,
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchServer]:
    """Behind a proxy that is our server, both providers are at their own addresses."""
    monkeypatch.setattr(jobs, "SETTLE", 0.4)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-anthropic")
    monkeypatch.setenv("GEMINI_API_KEY", "sk-gemini")
    with BatchServer() as running:
        monkeypatch.setenv("HTTP_PROXY", running.url.removesuffix("/v1"))
        yield running


@pytest.mark.parametrize("provider", URLS)
def test_a_run_by_batch_jobs(tmp_path: Path, server: BatchServer, provider: str) -> None:
    server.fate = lambda prompt, times: "expired" if prompt == "say 3" and not times else "ok"
    manifest = sampled(tmp_path, server, rows=6, policy=f"openai:m@{URLS[provider]}")
    assert manifest is not None
    assert manifest.dialects["policy"]["batch jobs"] == provider
    rows = rows_of(tmp_path / "run")
    assert sorted(row["completion"][0]["content"] for row in rows) == [f"SAY {n}" for n in range(6)]
    assert sent(server) in ([5, 1], [5])
    keys = {"anthropic": ("x-api-key", "sk-anthropic"), "gemini": ("x-goog-api-key", "sk-gemini")}
    name, key = keys[provider]
    batched = [headers for _, path, headers in server.seen if "atch" in path]
    assert all(headers[name] == key and "authorization" not in headers for headers in batched)


def test_azure_has_its_jobs_beside_its_deployments(
    tmp_path: Path, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "sk-azure")
    url = "http://mine.openai.azure.com/openai/deployments/gpt?api-version=2024-10-21"
    sampled(tmp_path, server, rows=4, policy=f"openai:m@{url}")
    assert len(rows_of(tmp_path / "run")) == 4
    batched = [
        (path, headers) for _, path, headers in server.seen if "/batches" in path or "/files" in path
    ]
    assert all("/openai/" in path and "deployments" not in path for path, _ in batched)
    assert all("api-version=2024-10-21" in path and h["api-key"] == "sk-azure" for path, h in batched)
    [work] = server.works
    assert {(line["url"], line["body"]["model"]) for line in work.lines} == {("/chat/completions", "gpt")}


@pytest.mark.parametrize("provider", URLS)
@pytest.mark.parametrize("over", [False, True])
def test_a_job_whose_creation_was_cut_off_is_found_again(
    tmp_path: Path, server: BatchServer, provider: str, over: bool
) -> None:
    server.dies = lambda method, path, times: (method, times) == ("POST", 1) and "atch" in path
    server.looks = 0 if over else 2
    sampled(tmp_path, server, rows=6, policy=f"openai:m@{URLS[provider]}")
    assert (sent(server), set(server.worked.values())) == ([5], {1})


@pytest.mark.parametrize("provider", URLS)
def test_interrupted_and_cancelled(tmp_path: Path, server: BatchServer, provider: str) -> None:
    server.holds = True
    settings = {"rows": 6, "policy": f"openai:m@{URLS[provider]}"}
    pressed = interrupted_when(lambda: bool(server.works) and server.works[0].looks > 0)
    with pytest.raises(Interrupted, match="1 batch job at"):
        sampled(tmp_path, server, **settings)
    pressed.join()
    with pytest.raises(Exception, match="1 batch job cancelled, and 2 answers of them kept"):
        sampled(tmp_path, server, cancel=True, **settings)
    server.holds = False
    sampled(tmp_path, server, **settings)
    assert len(rows_of(tmp_path / "run")) == 6
    assert sent(server) == [5, 2]


def answered(engine: OpenAIEngine, jobs: list[Job]) -> list[Completion]:
    for one in jobs:
        engine.submit(one)
    found: list[Finished] = []
    while len(found) < len(jobs):
        found += engine.poll(None)
    completions = dict(found)
    return [completions[one.key] for one in jobs]


@pytest.mark.parametrize("provider", URLS)
def test_thoughts_and_choices_are_read_of_a_job(
    tmp_path: Path, server: BatchServer, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wants = {"anthropic": "tools", "gemini": "response_format"}[provider]
    complete = server.completion

    def chosen(body: dict) -> dict:
        found = complete(body)
        if wants in body:
            schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
            schema = schema or body["tools"][0]["function"]["parameters"]
            [(name, inner)] = schema["properties"].items()
            found["choices"][0]["message"]["content"] = f'{{"{name}": "{inner["enum"][0]}"}}'
        return found

    monkeypatch.setattr(server, "completion", chosen)
    engine = openai_engine(URLS[provider], thinking="on", batch=True)
    engine.send_batches(tmp_path)
    try:
        free = answered(engine, [job(f"say {n}") for n in range(3)])
        choices = answered(engine, [job(f"A or B? {n}", choices=("A", "B")) for n in range(3)])
    finally:
        engine.close()
    assert [c.text for c in free] == ["SAY 0", "SAY 1", "SAY 2"]
    assert [c.reasoning for c in free[1:]] == ["let me see"] * 2
    assert [(c.text, c.failure) for c in choices] == [("A", None)] * 3
    assert [c.batch for c in free] == [False, True, True]
    assert [len(work.lines) for work in server.works] == [2, 2]
    assert len(BatchStore(tmp_path).all()) == 1  # nobody has said that the last ones are kept


def test_what_messages_have_for_a_chat() -> None:
    called = {
        "tools": [{"type": "function", "function": {"name": "answer", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "answer"}},
    }
    assert as_messages({**BODY, **called, "seed": 1, "n": 1}) == {
        "model": "m",
        "max_tokens": 16,
        "temperature": 0.5,
        "system": "be brief",
        "messages": BODY["messages"][1:],
        "tools": [{"name": "answer", "description": "", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "answer"},
    }


def test_what_contents_have_for_a_chat() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    said = as_contents({**BODY, "response_format": form, "reasoning_effort": "none", "n": 1})
    assert said == {
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "hello"}]},
            {"role": "model", "parts": [{"text": "hi"}]},
            {"role": "user", "parts": [{"text": "again"}]},
        ],
        "generationConfig": {
            "maxOutputTokens": 16,
            "temperature": 0.5,
            "topP": 1.0,
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"thinkingBudget": 0},
        },
    }
