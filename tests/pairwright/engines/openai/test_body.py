"""The body parser as a pure function: known bodies, mutated bodies, and nothing ever raised."""

import json
import math
import random
from typing import Any

import pytest
from asking import job
from fault_bodies import BODIES, answer
from hypothesis import given, settings
from hypothesis import strategies as st

from pairwright.engines.constraint import broken_constraint
from pairwright.engines.openai.body import UNKNOWN, Invalid, body_limit, parse_body, request_body
from pairwright.records import Completion

PLAIN = job("hello")
WITH_LOGPROBS = job("hello", logprobs=2)
CHOOSING = job("hello", choices=("A", "B"))
FORMED = job("hello", json_schema={"type": "object", "required": ["a"]})
JOBS = [PLAIN, WITH_LOGPROBS, CHOOSING, FORMED]


def honest(one: Any = WITH_LOGPROBS) -> dict[str, Any]:
    return answer(request_body(one, "m"))


def read(body: bytes, one: Any = PLAIN) -> Completion | Invalid:
    """Parse, and hold the result to what every completion must be."""
    found = parse_body(body, one.request)
    if isinstance(found, Invalid):
        assert found.reason
        return found
    assert found.failure is None
    found.text.encode()
    found.model.encode()
    assert found.text != "None"
    assert min(found.prompt_tokens, found.completion_tokens) >= 0
    assert max(found.prompt_tokens, found.completion_tokens) < 2**31
    for position in found.top_logprobs:
        assert position or found.top_logprobs == (UNKNOWN,)
        assert all(math.isfinite(value) and value <= 0 for value in position.values())
        assert all(token.encode() is not None for token in position)
    if one is WITH_LOGPROBS:
        assert found.top_logprobs or not found.text
    if found.finish_reason == "stop":
        assert broken_constraint(found.text, one.request) is None
    return found


def test_the_honest_answer() -> None:
    found = read(json.dumps(honest()).encode(), WITH_LOGPROBS)
    assert isinstance(found, Completion)
    assert [list(p.values()) for p in found.top_logprobs] == [[-0.1, -3.5], [-0.1, -3.5]]


def test_log_probabilities_of_a_thought_that_the_server_took_out_are_not_the_answers() -> None:
    body = honest()
    body["choices"][0]["message"]["content"] = "A"
    tokens = [("Hm", -0.5), (",", -0.1), (" B", -0.2), ("?", -0.3), ("\n", -0.1), ("ĠA", -0.4)]
    body["choices"][0]["logprobs"]["content"] = [
        {"token": token, "logprob": value, "top_logprobs": [{"token": token, "logprob": value}]}
        for token, value in tokens
    ]
    found = read(json.dumps(body).encode(), WITH_LOGPROBS)
    assert isinstance(found, Completion)
    assert found.top_logprobs == ({"ĠA": -0.4},)


@pytest.mark.parametrize(
    ("token", "found"),
    [("A", ({"A": -0.4},)), (" A", ({" A": -0.4},)), ("B", (UNKNOWN,)), ("At", ({"At": -0.4},))],
)
def test_a_token_that_is_not_the_answers_says_nothing_of_it(token: str, found: object) -> None:
    body = honest()
    body["choices"][0]["message"]["content"] = "A"
    entry = {"token": token, "logprob": -0.4}
    body["choices"][0]["logprobs"]["content"] = [{**entry, "top_logprobs": [entry]}]
    read_of_it = read(json.dumps(body).encode(), WITH_LOGPROBS)
    assert isinstance(read_of_it, Completion)
    assert read_of_it.top_logprobs == (UNKNOWN if token == "B" else {token: -0.4},)


def test_marks_that_a_server_took_out_of_the_text_are_passed_over() -> None:
    body = honest()
    body["choices"][0]["message"]["content"] = "A"
    entries = [{"token": token, "logprob": -0.4} for token in ("<|start|>", "A", "<|end|>")]
    body["choices"][0]["logprobs"]["content"] = [{**one, "top_logprobs": [one]} for one in entries]
    found = read(json.dumps(body).encode(), WITH_LOGPROBS)
    assert isinstance(found, Completion)
    assert found.top_logprobs[0] == {"A": -0.4}


def streamed(*deltas: dict[str, Any], finish: str | None = "stop") -> bytes:
    """An answer as a stream of events, with a comment, an event of usage, and the end."""
    pieces = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    pieces += [{"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}]
    pieces += [{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}]
    lines = [f"data: {json.dumps(piece)}\n\n" for piece in pieces]
    return (": ping\n\n" + "".join(lines) + "data: [DONE]\n\n").encode()


def test_a_stream_that_nobody_asked_for_is_put_together() -> None:
    found = read(
        streamed({"role": "assistant", "reasoning_content": "well"}, {"content": "Hel"}, {"content": "lo"})
    )
    assert isinstance(found, Completion)
    assert (found.text, found.reasoning, found.finish_reason) == ("Hello", "well", "stop")
    assert (found.prompt_tokens, found.completion_tokens) == (3, 2)
    name = {"index": 0, "function": {"name": "answer", "arguments": ""}}
    halves = [
        {"tool_calls": [{"index": 0, "function": {"arguments": half}}]} for half in ('{"answer"', ': "A"}')
    ]
    called = read(streamed({"tool_calls": [name]}, *halves, finish="tool_calls"), CHOOSING)
    assert isinstance(called, Completion)
    assert called.text == "A"


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    broken = read(streamed({"content": "Hel"}, finish=None))
    assert isinstance(broken, Invalid)
    assert "`finish_reason` says nothing" in broken.reason
    failed = read(b'data: {"choices": []}\n\ndata: {"error": {"message": "overloaded"}}\n\n')
    assert isinstance(failed, Invalid)
    assert failed.reason == "status 200 with an error: overloaded"
    assert read(b"data: [1\n\n") == Invalid("the body is not JSON")


def test_a_web_page_is_called_one() -> None:
    page = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>please</body></html>"
    assert read(page) == Invalid("the body is a web page, 'Sign in': does the URL end in /v1?")


@pytest.mark.parametrize("name", sorted(BODIES))
def test_spoilt_answers_are_one_or_the_other(name: str) -> None:
    for one in JOBS:
        body = BODIES[name](honest(one))
        read(body if isinstance(body, bytes) else json.dumps(body).encode(), one)


def with_choice(**changes: Any) -> bytes:
    body = honest()
    body["choices"][0] |= changes
    return json.dumps(body).encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "x", True, [], {}, 0.5, 10**400])
@pytest.mark.parametrize("place", ["sampled", "top"])
def test_numbers_that_are_no_log_probabilities(value: Any, place: str) -> None:
    top = {"token": "a", "logprob": value if place == "top" else -1.0}
    entry = {"token": "a", "logprob": value if place == "sampled" else -1.0, "top_logprobs": [top]}
    found = read(with_choice(logprobs={"content": [entry]}), WITH_LOGPROBS)
    assert isinstance(found, Invalid)
    assert "log-probability" in found.reason


def test_overflowing_numbers_are_no_log_probabilities() -> None:
    body = with_choice().replace(b"-0.1", b"-1e999")
    assert isinstance(read(body, WITH_LOGPROBS), Invalid)


def test_tokens_that_read_the_same_keep_the_likeliest() -> None:
    top = [{"token": "\ud83d", "logprob": -2}, {"token": "\udc00", "logprob": -1}]
    entry = {"token": "x", "logprob": 1e-9, "top_logprobs": top}
    found = read(
        with_choice(message={"role": "assistant", "content": "x"}, logprobs={"content": [entry]}),
        WITH_LOGPROBS,
    )
    assert isinstance(found, Completion)
    assert found.top_logprobs == ({"\ufffd": -1.0},)


def test_a_whole_choice_is_complete_even_when_cut() -> None:
    body = honest(CHOOSING)
    body["choices"][0] |= {"finish_reason": "length", "message": {"content": "A"}}
    found = read(json.dumps(body).encode(), CHOOSING)
    assert isinstance(found, Completion)
    assert found.finish_reason == "stop"
    body["choices"][0]["message"]["content"] = "Per"
    found = read(json.dumps(body).encode(), CHOOSING)
    assert isinstance(found, Completion)
    assert found.finish_reason == "length"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1}', None),
        ('{"b": 1}', "lacks a key"),
        ("[1]", "not of the schema's type 'object'"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_breaks_a_schema(text: str, why: str | None) -> None:
    found = broken_constraint(text, FORMED.request)
    assert found is None if why is None else why in (found or "")


def test_longer_answers_may_have_longer_bodies() -> None:
    assert body_limit(PLAIN.request) < body_limit(WITH_LOGPROBS.request) < 5 * 2**20


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value inside a JSON value, itself included."""
    inside = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(p for key, v in inside for p in places(v, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with what stands at a path replaced."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(JOBS), st.data())
def test_any_value_in_any_place(one: Any, data: st.DataObject) -> None:
    body = honest(one)
    for _ in range(data.draw(st.integers(1, 2))):
        body = changed(body, data.draw(st.sampled_from(places(body))), data.draw(VALUES))
        if not isinstance(body, dict | list):
            break
    read(json.dumps(body).encode(), one)


def test_mutated_bytes() -> None:
    mutate(4000, seed=0)


@pytest.mark.slow
def test_100000_mutated_bytes() -> None:
    mutate(100_000, seed=1)


def mutate(number: int, seed: int) -> None:
    """Read `number` bodies that are honest but for a few stretches of bytes."""
    rng = random.Random(seed)
    bodies = [(one, json.dumps(honest(one)).encode()) for one in JOBS]
    for _ in range(number):
        one, body = rng.choice(bodies)
        spoilt = bytearray(body)
        for _ in range(rng.randint(1, 4)):
            start = rng.randrange(len(spoilt) + 1)
            end = min(len(spoilt), start + rng.choice((0, 1, 1, 5, 50)))
            new = rng.choice(
                (b"", b"null", b"[]", b"NaN", b"\xff", b'"', b"1e999", b"\\ud800", body[start:end])
            )
            spoilt[start:end] = new
        read(bytes(spoilt), one)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes(body: bytes) -> None:
    assert isinstance(read(body), Invalid)


@pytest.mark.parametrize(
    ("usage", "prompt", "generated"),
    [
        ("prompt_tokens=10, completion_tokens=5, total_tokens=15", 10, 5),
        ("prompt_tokens=10, completion_tokens=5, total_tokens=500", 10, 490),
        ("prompt_tokens=10, completion_tokens=5, total_tokens=500, reasoning_tokens=485", 10, 490),
        ("prompt_tokens=10, completion_tokens=5, reasoning_tokens=485", 10, 490),
        ("prompt_tokens=10, completion_tokens=490, total_tokens=500, reasoning_tokens=485", 10, 490),
        ("prompt_tokens=10, completion_tokens=5, total_tokens=7", 10, 5),
        ("input_tokens=10, output_tokens=5", 10, 5),
        ("total_tokens=500", 0, 0),
        ("prompt_tokens=10", 0, 0),
        ("completion_tokens=5", 0, 0),
    ],
)
def test_thoughts_are_counted_that_stand_in_the_total_alone(
    usage: str, prompt: int, generated: int
) -> None:
    counts = {name: int(count) for name, count in (one.split("=") for one in usage.split(", "))}
    found = read(json.dumps({**honest(PLAIN), "usage": counts}).encode())
    assert isinstance(found, Completion)
    assert (found.prompt_tokens, found.completion_tokens) == (prompt, generated)
