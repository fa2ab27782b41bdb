"""What is asked beside the messages: in the body and the headers, and what becomes of thoughts."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from asking import ask, job, openai_engine
from faultserver import FaultServer
from plain_server import PlainServer, reply

from pairwright.errors import PairwrightError, UsageError

Json = dict[str, Any]


def test_fields_and_headers_of_ones_own_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    with FaultServer() as server:
        engine = openai_engine(
            server.url,
            extra_body={"top_k": 20, "chat_template_kwargs": {"a": 1}},
            extra_headers={"api-key": "$MY_KEY", "X-Org": "mine"},
            thinking="on",
            reasoning_effort="low",
            chat_template_kwargs={"enable_thinking": False},
        )
        ask(engine, [job("hello")])
        engine.close()
    [seen] = server.seen
    assert seen.body["top_k"] == 20
    assert seen.body["reasoning_effort"] == "low"
    assert seen.body["chat_template_kwargs"] == {"enable_thinking": False, "thinking": True, "a": 1}
    assert (seen.headers["api-key"], seen.headers["x-org"]) == ("sk-very-secret", "mine")


def test_a_key_in_a_header_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    with FaultServer() as server:
        engine = openai_engine(server.url, extra_headers={"Authorization": "Bearer $MY_KEY"})
        [completion] = ask(engine, [job("[[fault:echo=400]] hello")])
        engine.close()
    assert "***" in str(completion.failure)
    assert "sk-very-secret" not in str(completion.failure) + engine.identity
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(UsageError, match="--extra_headers Authorization: MY_KEY is not set"):
        openai_engine(server.url, extra_headers={"Authorization": "Bearer $MY_KEY"})


def thinks(body: Json) -> Json:
    """A hybrid model, which heeds the switch; the few tokens of a verdict end in its thought."""
    on = body.get("chat_template_kwargs", {}).get("enable_thinking", True)
    return reply(body, None if body.get("logprobs") else "A", thought="well, ") if on else reply(body, "A")


def thinks_always(body: Json) -> Json:
    return reply(body, None if body.get("logprobs") else "A", thought="well, ")


def refuses(body: Json) -> Json:
    if "chat_template_kwargs" in body:
        return {"error": {"message": "Unrecognized request argument: chat_template_kwargs",
                          "param": "chat_template_kwargs"}}  # fmt: skip
    return thinks_always(body)


@pytest.mark.parametrize(
    ("asked", "flag"),
    [
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"extra_body": {"top_k": 5}}, "extra_body"),
        ({"chat_template_kwargs": {"a": 1}}, "chat_template_kwargs"),
    ],
)
def test_a_field_of_ones_own_that_is_refused_is_told_by_its_flag(asked: Json, flag: str) -> None:
    def answer(body: Json) -> Json:
        field = next(name for name in body if name in ("reasoning_effort", "top_k", "chat_template_kwargs"))
        return {"error": {"message": f"Unsupported value: '{field}'", "param": field}}

    with PlainServer(answer) as server:
        engine = openai_engine(server.url, **asked)
        with pytest.raises(PairwrightError, match=f"as it is sent: leave out --{flag}"):
            ask(engine, [job("q")])
        engine.close()


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        (thinks_always, {"thinking": "off"}, "thinks although --thinking is off"),
        (refuses, {"thinking": "off"}, "takes no `chat_template_kwargs`, by which thinking"),
        (refuses, {}, "thinks before it answers, and takes no .*--protocol text"),
        (thinks, {"thinking": "on"}, "reports no log-probabilities of an answer while"),
    ],
)
def test_a_thought_where_none_can_be_ends_the_run_at_once(
    model: Callable[[Json], Json], asked: Json, said: str
) -> None:
    with PlainServer(model) as server:
        engine = openai_engine(server.url, max_concurrency=1, **asked)
        with pytest.raises(PairwrightError, match=said):
            ask(engine, [job(f"q{i}", logprobs=2) for i in range(9)])
        engine.close()
    assert len(server.bodies) <= 2


def test_a_thought_that_cannot_be_switched_off_leaves_the_answer_to_whoever_asks() -> None:
    """`choice` and `score` read what was answered; only `logprob` needs the first token."""
    with PlainServer(thinks_always) as server:
        engine = openai_engine(server.url, max_concurrency=1)
        found = ask(engine, [job(f"q{i}", logprobs=2) for i in range(3)])
        engine.close()
    assert [(c.failure, c.reasoning, c.top_logprobs) for c in found] == [(None, "well, ", ())] * 3
    assert len(server.bodies) <= 3 + 2


def test_thinking_is_switched_off_where_log_probabilities_are_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with PlainServer(thinks) as server, caplog.at_level(logging.WARNING):
        engine = openai_engine(server.url, max_concurrency=2)
        found = ask(engine, [job(f"q{i}", logprobs=2) for i in range(12)] + [job("free")])
        engine.close()
    assert [c.top_logprobs[0] for c in found[:-1]] == [{"A": -0.1}] * 12
    assert found[-1].reasoning == "well, "
    assert len(server.bodies) <= 13 + 2
    told = sum(c.completion_tokens + c.unusable_completion_tokens for c in found)
    assert told == sum(thinks(body)["usage"]["completion_tokens"] for body in server.bodies)
    [said] = [r.getMessage() for r in caplog.records]
    assert "it thinks; that is switched off where log-probabilities are read" in said


REFUSALS = {
    "a model that is not there": (
        404, {"message": "The model `m` does not exist."}, "has no model 'm'; it has m2 (HTTP 404"
    ),
    "an address that is not there": (404, {"message": "Not Found"}, "has no model 'm'; it has m2"),
    "a region": (
        403, {"message": "Country not supported", "code": "unsupported_country_region_territory"},
        "refuses requests from your region; use another server",
    ),
    "Gemini's region": (
        400, {"message": "User location is not supported for the API use."}, "refuses requests from"
    ),
    "a key": (401, {"message": "Incorrect API key"}, "refuses the API key; set MY_KEY to a key"),
    "no money": (402, {"message": "Insufficient Balance"}, "has no credit left for this key"),
    "no access": (403, {"message": "no"}, "denies access; set MY_KEY"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "error", "said"), REFUSALS.values(), ids=REFUSALS)
def test_each_refusal_of_everything_is_one_sentence(
    status: int, error: Json, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    models = [{"id": "m2"}, {"id": "other"}, {"id": "m-large"}]
    with PlainServer(lambda body: {"error": error, "status": status}, models) as server:
        engine = openai_engine(server.url, max_concurrency=1, api_key_env="MY_KEY")
        with pytest.raises(PairwrightError) as caught:
            ask(engine, [job(f"q{i}") for i in range(9)])
        engine.close()
    assert said in str(caught.value)
    assert len(server.bodies) == 1
