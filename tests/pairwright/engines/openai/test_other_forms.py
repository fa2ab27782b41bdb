"""Bodies in other forms than the protocol: older log-probabilities, other errors, marks within a stream."""

import json
import math
from typing import Any

import pytest
from asking import job
from fault_bodies import answer

from pairwright.engines.openai.body import Invalid, parse_body, request_body
from pairwright.engines.openai.dialect import TOO_LONG
from pairwright.engines.thoughts import part
from pairwright.records import Completion

PLAIN, WITH_LOGPROBS = job("hello"), job("hello", logprobs=2)


def with_logprobs(told: dict[str, Any]) -> Completion | Invalid:
    body: dict[str, Any] = answer(request_body(WITH_LOGPROBS, "m"))
    body["choices"][0]["logprobs"] = told
    return parse_body(json.dumps(body).encode(), WITH_LOGPROBS.request)


def test_a_token_that_cannot_be_is_left_out() -> None:
    for value in (None, -math.inf):
        top = [{"token": "answer", "logprob": -0.1}, {"token": "b", "logprob": value}]
        found = with_logprobs({"content": [{"token": "answer", "logprob": -0.1, "top_logprobs": top}]})
        assert isinstance(found, Completion)
        assert found.top_logprobs == ({"answer": -0.1},)


def test_log_probabilities_of_the_older_protocol() -> None:
    told = {"tokens": ["answer"], "token_logprobs": [-0.1], "top_logprobs": [{"answer": -0.1, "b": -3.0}]}
    found = with_logprobs(told)
    assert isinstance(found, Completion)
    assert found.top_logprobs == ({"answer": -0.1, "b": -3.0},)


@pytest.mark.parametrize(
    "body",
    [
        {"code": 1113, "msg": "insufficient balance"},
        {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None},
        {"success": False, "errors": [{"code": 1, "message": "insufficient balance"}], "result": None},
        {"detail": "insufficient balance"},
    ],
)
def test_an_error_with_status_200_is_quoted(body: dict[str, Any]) -> None:
    found = parse_body(json.dumps(body).encode(), PLAIN.request)
    assert isinstance(found, Invalid)
    assert found.reason == "status 200 with an error: insufficient balance"


def test_other_separators_end_no_event() -> None:
    said = "one\u2028two\x85three"
    events = [
        {"choices": [{"index": 0, "delta": {"content": said}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    ]
    body = "".join(f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n" for event in events)
    found = parse_body(body.encode(), PLAIN.request)
    assert isinstance(found, Completion)
    assert found.text == said


@pytest.mark.parametrize(
    "wrapped", ["<answer>\n4.\n</answer>", "<response>4.</response>", "<|begin_of_box|>4.<|end_of_box|>"]
)
def test_what_is_written_around_an_answer_after_its_thought_is_none_of_it(wrapped: str) -> None:
    found = part(f"<think>2 and 2</think>\n{wrapped}")
    assert (found.thought, found.answer.strip()) == ("2 and 2", "4.")


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum prompt length is 131072 but the request contains 150000 tokens.",
        "The input token count (150000) exceeds the maximum number of tokens allowed (131072).",
    ],
)
def test_too_long_a_prompt_in_words_of_providers(said: str) -> None:
    assert TOO_LONG.search(said)
