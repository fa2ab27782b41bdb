"""Error replies in the shapes that providers give them, and what each comes to."""

import json
from typing import Any

import pytest
from asking import ask, job, openai_engine
from plain_server import Json, PlainServer, reply

from pairwright.engines.openai.error_body import read_error
from pairwright.engines.openai.faults import status_fault
from pairwright.errors import PairwrightError

GEMINI = {"code": 400, "message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]}
AZURE = {"message": "The response was filtered.", "param": "prompt", "code": "content_filter"}
INSIDE = json.dumps({"error": {"type": "invalid_request_error", "message": "seed: no"}})
FLAGGED = "Your chosen model requires moderation and your input was flagged"

MESSAGES = {
    "an object": ({"error": {"message": "no", "code": "c"}}, "no"),
    "in a list": ([{"error": GEMINI}], GEMINI["message"]),
    "two": ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two"),
    "pydantic's": ({"detail": [{"loc": ["body", "n"], "msg": "no", "input": {"code": 429}}]}, "body.n: no"),
    "Mistral's": ({"message": {"detail": [{"loc": ["body", "n"], "msg": "no"}]}}, "body.n: no"),
    "JSON in a text": ({"error": {"message": INSIDE}}, "seed: no"),
    "a kind and words": ({"status": 400, "error": "Bad Request", "message": "no"}, "Bad Request: no"),
    "of whom a router asked": (
        {"error": {"message": "Provider returned error", "metadata": {"raw": INSIDE}}},
        "Provider returned error (seed: no)",
    ),
    "no words": ({"error": {"code": 7}}, '{"error": {"code": 7}}'),
}


@pytest.mark.parametrize(("value", "message"), MESSAGES.values(), ids=MESSAGES)
def test_the_words_of_an_error_are_found(value: Any, message: str) -> None:
    assert read_error(json.dumps(value).encode()).message == message


def test_what_is_no_json_or_too_deep_is_text() -> None:
    assert read_error("zu viel".encode("utf-16")).message
    assert read_error(b"[" * 5000).message == "[" * 5000
    assert read_error(b"[" * 900 + b"]" * 900).message
    assert read_error(b"<html><title>Gone</title></html>").message == "a web page, 'Gone'"


MEANT = {
    "a key": (400, [{"error": GEMINI}], "http_401", "stop"),
    "credit": (400, {"error": {"message": "Your credit balance is too low"}}, "http_402", "stop"),
    "throttled": (400, {"__type": "ThrottlingException", "message": "Rate exceeded"}, "http_429", "retry"),
    "Google's limit": (403, {"error": {"message": "", "code": "rateLimitExceeded"}}, "http_429", "retry"),
    "no quota left": (429, {"error": {"message": "x", "code": "insufficient_quota"}}, "http_429", "stop"),
    "a filter": (400, {"error": AZURE}, "withheld", "fail"),
    "a flag": (403, {"error": {"code": 403, "message": FLAGGED}}, "withheld", "fail"),
    "DeepSeek's filter": (400, {"error": {"message": "Content Exists Risk"}}, "withheld", "fail"),
    "merely a field": (400, {"error": {"message": "unknown field `rate`"}}, "http_400", "fail"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "value", "code", "action"), MEANT.values(), ids=MEANT)
def test_an_error_is_what_it_says_whatever_its_status(
    status: int, value: Any, code: str, action: str
) -> None:
    fault = status_fault(status, {}, json.dumps(value).encode(), 0.0)
    assert (fault.code, fault.action) == (code, action)


def test_a_wait_may_stand_in_the_body() -> None:
    google = {"error": {"code": 429, "details": [{"@type": "RetryInfo", "retryDelay": "34.5s"}]}}
    router = {"error": {"code": 429, "metadata": {"headers": {"X-RateLimit-Reset": "12000000000"}}}}
    waits = [status_fault(429, {}, json.dumps(body).encode(), 0.0).wait for body in (google, router)]
    assert waits[0] == 34.5
    assert waits[1] is not None
    assert status_fault(429, {"Retry-After": "2"}, json.dumps(google).encode(), 0.0).wait == 2.0


def test_what_a_filter_stops_is_an_answer_withheld() -> None:
    def answer(body: Json) -> Json:
        return {"error": AZURE} if body["messages"][-1]["content"] == "bad" else reply(body, "fine")

    with PlainServer(answer) as server:
        engine = openai_engine(server.url, max_concurrency=1)
        found = ask(engine, [job("bad"), job("good")])
        engine.close()
    assert [(c.failure, c.finish_reason, c.text) for c in found] == [
        (None, "content_filter", ""),
        (None, "stop", "fine"),
    ]


@pytest.mark.parametrize("inside", [False, True], ids=["beside the choices", "in a choice"])
def test_an_error_with_status_200_is_what_it_says(inside: bool) -> None:
    error = {"code": 402, "message": "Insufficient credits"}

    def answer(body: Json) -> Json:
        found = reply(body, "half")
        found["choices"][0] |= {"error": error, "finish_reason": "error"}
        return found if inside else {"error": error, "status": 200}

    with PlainServer(answer) as server:
        engine = openai_engine(server.url, max_concurrency=1)
        with pytest.raises(PairwrightError, match=r"has no credit left for this key.*Insufficient credits"):
            ask(engine, [job(f"q{n}") for n in range(5)])
        engine.close()
    assert len(server.bodies) == 1
