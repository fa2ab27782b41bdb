"""Each line of the table of families, against a server that behaves so, by its own host."""

import logging

import pytest
from asking import ask, job, openai_engine
from family_servers import STUBS, Stub
from plain_server import PlainServer

from pairwright.engines.openai.families import FAMILIES, UNKNOWN
from pairwright.errors import PairwrightError

HOSTS = {family.name: family.hosts.split()[0] for family in FAMILIES if family.hosts}
SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer"}},
    "required": ["score"],
    "additionalProperties": False,
}
REFUSED = {"OpenAI": 1}
"""Requests that are refused although the family is known: it is the model that takes no temperature."""


def server_of(name: str) -> PlainServer:
    stub = STUBS[name]
    listed = {"id": stub.listed, "owned_by": stub.owner}
    if stub.owner == "transformers":
        listed = {"id": "/home/me/m", "owned_by": "", "status": {"value": "unloaded"}}
    return PlainServer(stub.answer, [listed] if stub.owner else [])


def url_of(name: str, server: PlainServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address; a hosted one's is its own, behind a proxy that is our server."""
    if name not in HOSTS:
        return server.url
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    host = HOSTS[name]
    return f"http://{'mine.openai' + host if host.startswith('.') else host}/v1"


def test_every_family_has_a_server_to_be_tested_against() -> None:
    assert STUBS.keys() >= {family.name for family in FAMILIES}


@pytest.mark.parametrize("name", [name for name in STUBS if name != "transformers serve"])
def test_a_known_family_is_asked_in_its_own_way(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stub: Stub = STUBS[name]
    refused = []
    with server_of(name) as server, caplog.at_level(logging.WARNING):
        answer = server.answer

        def noted(body: dict) -> dict:
            said = answer(body)
            refused.extend([said] if "error" in said or "detail" in said else [])
            return said

        server.answer = noted
        url = url_of(name, server, monkeypatch)
        engine = openai_engine(url, thinking="off", max_concurrency=1)
        family = engine._client.format.family
        assert family.name == name or family is UNKNOWN
        [free] = ask(engine, [job("say something")])
        chosen = ask(engine, [job(f"A or B? {i}", choices=("[[A]]", "B|")) for i in range(2)])
        formed = ask(engine, [job("score?", json_schema=SCHEMA)]) if "response" in stub.holds else []
        engine.close()
    assert (free.failure, free.text, free.reasoning) == (None, "free", None)
    assert [c.text for c in chosen] == ["[[A]]"] * 2
    assert [c.text for c in formed] in ([], ['{"score": 1}'])
    if family is not UNKNOWN:
        assert len(refused) <= REFUSED.get(name, 0)
        assert len(server.bodies) == len(refused) + 4 + 2 * len(formed)


def test_thinking_is_left_on_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with server_of("Anthropic") as server:
        engine = openai_engine(url_of("Anthropic", server, monkeypatch))
        [free] = ask(engine, [job("say something")])
        engine.close()
    assert (free.text, free.reasoning) == ("free", "let me see")


def test_azure_has_deployment_paths_and_a_header_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "sk-azure")
    with server_of("Azure") as server:
        monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
        url = "http://mine.openai.azure.com/openai/deployments/gpt?api-version=2024-10-21"
        engine = openai_engine(url)
        ask(engine, [job("hello")])
        engine.close()
    path, headers = server.seen[-1]
    assert path.endswith("/openai/deployments/gpt/chat/completions?api-version=2024-10-21")
    assert headers["api-key"] == "sk-azure"
    assert "authorization" not in headers


def test_a_server_without_any_way_is_refused_for_choices_and_asked_in_words_for_schemas(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with server_of("transformers serve") as server, caplog.at_level(logging.WARNING):
        engine = openai_engine(server.url, max_concurrency=1)
        [formed] = ask(engine, [job("score?", json_schema=SCHEMA)])
        assert (formed.failure, formed.text) == (None, "free")
        with pytest.raises(PairwrightError, match="--protocol text, or logprob where"):
            ask(engine, [job("A or B?", choices=("A", "B"))])
        engine.close()
    assert any("answers are asked for in words alone" in r.getMessage() for r in caplog.records)
