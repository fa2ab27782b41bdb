"""Dialects: what refusals teach, in the words of the servers that refuse, and that it is learned once."""

import json
import logging

import pytest
from asking import ask, job, openai_engine
from faultserver import FaultServer
from plain_server import PlainServer, reply

from pairwright.engines.openai.dialect import Dialect, adapted, named_field
from pairwright.errors import PairwrightError

SENT = {
    "model": "m", "messages": [], "max_tokens": 16, "temperature": 0.7, "top_p": 1.0, "seed": 5, "n": 1,
    "logprobs": True, "top_logprobs": 20,
}  # fmt: skip
OPENAI = {"type": "invalid_request_error"}
REFUSALS = {
    "OpenAI's models that reason": (
        {"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                   "'max_completion_tokens' instead.", "param": "max_tokens", **OPENAI}},
        {"max_tokens"}, {"max_completion_tokens"},
    ),
    "the same, of temperature": (
        {"error": {"message": "Unsupported value: 'temperature' does not support 0.7 with this model. Only "
                   "the default (1) value is supported.", "param": "temperature", **OPENAI}},
        {"temperature"}, set(),
    ),
    "Gemini, in a list": (
        [{"error": {"code": 400, "status": "INVALID_ARGUMENT",
                    "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'}}],
        {"seed"}, set(),
    ),
    "Mistral, several at once": (
        {"object": "error", "message": {"detail": [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
            for name in ("seed", "n")
        ]}},
        {"seed", "n"}, set(),
    ),
    "in a text that is JSON": (
        {"error": {"message": '{"error": {"message": "temperature: Extra inputs are not permitted"}}'}},
        {"temperature"}, set(),
    ),
    "Anthropic, one of two": (
        {"error": {"message": "`temperature` and `top_p` cannot both be specified for this model."}},
        {"top_p"}, set(),
    ),
    **{
        message: ({"error": {"message": message}}, {"seed"}, set())
        for message in (
            "seed is not supported by this model",
            "Unrecognized request argument supplied: seed",
            "The seed parameter is not supported",
            "Unsupported parameter(s): seed",
            "seed: Extra inputs are not permitted",
        )
    },
    "in Chinese": ({"error": {"message": "不支持的参数：temperature"}}, {"temperature"}, set()),
    "in German": ({"error": {"message": "Das Feld seed wird nicht unterstützt."}}, {"seed"}, set()),
    "in French, an article that is a field's name": (
        {"error": {"message": "Le paramètre « top_p » n'est pas pris en charge"}}, {"top_p"}, set(),
    ),
    "only where it points, in Japanese": (
        {"error": {"message": "パラメータエラー", "param": "seed"}}, {"seed"}, set(),
    ),
    "transformers serve": ({"detail": "Unexpected keys in the request: {'n'}"}, {"n"}, set()),
}  # fmt: skip


@pytest.mark.parametrize(("reply", "gone", "new"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_teaches_how_the_request_has_to_be_said(reply: object, gone: set, new: set) -> None:
    found = adapted(Dialect(), SENT, json.dumps(reply).encode())
    assert found is not None
    assert SENT.keys() - found[0].spoken(SENT).keys() == gone
    assert found[0].spoken(SENT).keys() - SENT.keys() == new


RANGES = {
    "OpenAI": {"error": {
        "message": "max_tokens is too large: 512. This model supports at most 64 completion tokens, whereas"
        " you provided 512.", "param": "max_tokens", "code": "invalid_value"}},
    "Anthropic": {"error": {
        "message": "max_tokens: 512 > 64, which is the maximum allowed number of output tokens for it"}},
    "Anthropic, thinking": {"error": {
        "message": "`max_tokens` must be greater than `thinking.budget_tokens`."}},
    "pydantic": {"detail": [{"type": "less_than_equal", "loc": ["body", "max_tokens"],
                             "msg": "Input should be less than or equal to 64", "input": 512}]},
    "Alibaba": {"error": {"message": "Range of max_tokens should be [1, 64]", "param": None}},
}  # fmt: skip


@pytest.mark.parametrize("reply", RANGES.values(), ids=RANGES)
def test_a_value_out_of_range_is_no_reason_to_leave_its_field_out(reply: dict) -> None:
    with PlainServer(lambda body: dict(reply)) as server:
        engine = openai_engine(server.url, max_concurrency=1)
        with pytest.raises(
            PairwrightError, match=r"takes no `max_tokens` of 16: choose another --max_tokens \(http_4"
        ):
            ask(engine, [job(f"question {i}") for i in range(9)])
        engine.close()
    assert len(server.bodies) == 1


def test_a_temperature_out_of_range() -> None:
    """Greedy is asked for as nearly as can be; another temperature than the one that is meant, never."""
    hot = {"error": {"message": "temperature: range: 0..1"}}
    assert adapted(Dialect(), {**SENT, "temperature": 1.5}, json.dumps(hot).encode()) is None
    zero = {"error": {"message": "`temperature` must be strictly positive"}}
    found = adapted(Dialect(), {**SENT, "temperature": 0.0}, json.dumps(zero).encode())
    assert found is not None
    assert found[0].spoken({**SENT, "temperature": 0.0})["temperature"] == 0.01
    assert found[0].spoken({**SENT, "temperature": 0.7})["temperature"] == 0.7


def test_a_server_that_does_not_heed_the_length_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    def long(body: dict) -> dict:
        said = reply(body, "and so on")
        return said | {"usage": {"prompt_tokens": 5, "completion_tokens": 900}}

    with PlainServer(long) as server, caplog.at_level(logging.WARNING):
        engine = openai_engine(server.url)
        ask(engine, [job(f"question {i}") for i in range(3)])
        engine.close()
    [said] = [r.getMessage() for r in caplog.records]
    assert said.endswith("an answer has 900 tokens of 16: it does not heed --max_tokens")


@pytest.mark.parametrize("limit", ["5", "8"])
def test_fewer_log_probabilities_are_asked_for(limit: str) -> None:
    reply = f'{{"error": {{"message": "top_logprobs must be less than or equal to {limit}"}}}}'
    found = adapted(Dialect(), SENT, reply.encode())
    assert found is not None
    assert found[0].spoken(SENT)["top_logprobs"] == int(limit)


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8 tokens; max_tokens is 16.",
        "messages: text content blocks must be non-empty",
        "fault 400",
        "Invalid request: the seed of this plant is not allowed",
        "The model is not able to answer in a seed catalogue, which is forbidden",
        "The temperature in the prompt is not allowed by our policy",
    ],
)
def test_a_refusal_of_a_row_teaches_nothing(message: str) -> None:
    reply = json.dumps({"error": {"message": message}}).encode()
    assert adapted(Dialect(), SENT, reply) is None
    assert named_field(SENT, reply) is None


def test_a_field_that_is_wanted_and_was_not_sent_is_about_the_request() -> None:
    missing = {"type": "missing", "loc": ["body", "tenant"], "msg": "Field required"}
    assert named_field(SENT, json.dumps({"detail": [missing]}).encode()) == ("tenant", False)
    inside = missing | {"loc": ["body", "messages", 0, "content"]}
    assert named_field(SENT, json.dumps({"detail": [inside]}).encode()) is None


def test_what_is_refused_is_learned_once_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer(refuses=("max_tokens", "temperature", "seed", "n")) as server:
        engine = openai_engine(server.url, max_concurrency=4)
        with caplog.at_level(logging.WARNING):
            completions = ask(engine, [job(f"question {i}") for i in range(40)])
        engine.close()
    assert all(c.failure is None for c in completions)
    assert len(server.seen) == 40
    assert len(server.refused) <= 4 * 4
    assert {frozenset(s.body) for s in server.seen} == {
        frozenset({"model", "messages", "max_completion_tokens", "top_p"})
    }
    said = [r.getMessage().split(": ", 1)[1] for r in caplog.records]
    assert sorted(said) == [
        "`max_tokens` is `max_completion_tokens` there",
        "it takes no `seed`; its own is used",
        "it takes no `temperature`; its own is used",
    ]


def test_a_request_that_can_never_succeed_ends_the_run_at_once() -> None:
    with FaultServer(refuses=("logprobs",)) as server:
        engine = openai_engine(server.url, max_concurrency=1)
        with pytest.raises(PairwrightError, match=r"every request for its `logprobs`; .*--protocol text"):
            ask(engine, [job(f"question {i}", logprobs=3) for i in range(40)])
        engine.close()
    assert len(server.refused) == 1
