"""Messages of replies in the forms of servers that nobody has met: answers, thoughts, calls, and ends."""

import json
from typing import Any

import pytest
from asking import job

from pairwright.engines.openai.body import Invalid, parse_body
from pairwright.records import Completion

THOUGHT = "The user wants a capital."


def parsed(message: dict[str, Any], reason: Any = "stop", **choice: Any) -> Completion | Invalid:
    said = {"role": "assistant", "content": "Paris.", **message}
    body = {"choices": [{"index": 0, "message": said, "finish_reason": reason, **choice}]}
    return parse_body(json.dumps(body).encode(), job("capital?").request)


def read(message: dict[str, Any], reason: Any = "stop", **choice: Any) -> Completion:
    found = parsed(message, reason, **choice)
    assert isinstance(found, Completion), found
    return found


@pytest.mark.parametrize(
    "message",
    [
        {"thinking": THOUGHT},
        {"thoughts": [THOUGHT]},
        {"chain_of_thought": THOUGHT, "reasoning_effort": "high", "thinking_mode": "on"},
        {"reasoning": {"content": THOUGHT}, "thought_signature": "c2lnbg=="},
        {"reasoning": {"summary": [{"type": "summary_text", "text": THOUGHT}]}},
        {"thinking_blocks": [{"type": "thinking", "thinking": THOUGHT, "signature": "x"}]},
        {"provider_specific_fields": {"reasoning_content": THOUGHT, "citations": ["a"]}},
        {"reasoning_content": THOUGHT, "reasoning": THOUGHT, "reasoning_details": [{"text": THOUGHT}]},
        {"content": [{"type": "thought_summary", "text": THOUGHT}, {"type": "text", "text": "Paris."}]},
        {"content": [{"text": THOUGHT, "thought": True}, {"text": "Paris."}]},
    ],
)
def test_thoughts_are_found_by_what_their_fields_and_parts_are_called(message: dict[str, Any]) -> None:
    found = read(message)
    assert (found.text, found.reasoning) == ("Paris.", THOUGHT)


def test_a_thought_beside_the_message_is_one_and_settings_of_thinking_are_none() -> None:
    assert read({}, reasoning_content=THOUGHT).reasoning == THOUGHT
    settings = {"reasoning_effort": "low", "thinking": True, "reasoning_tokens": "12", "reasoning": {}}
    assert read(settings).reasoning is None


def test_a_thought_alone_is_no_answer() -> None:
    found = read({"content": None, "thinking": THOUGHT})
    assert (found.text, found.reasoning) == ("", THOUGHT)


@pytest.mark.parametrize(
    "content",
    [["Par", "is."], {"type": "text", "text": "Paris."}, [{"type": "text", "text": {"value": "Paris."}}]],
)
def test_answers_in_parts_of_other_shapes(content: Any) -> None:
    assert read({"content": content}).text == "Paris."


def test_a_refusal_among_the_parts_is_withheld() -> None:
    found = read({"content": [{"type": "refusal", "refusal": "I cannot."}]})
    assert (found.text, found.finish_reason) == ("I cannot.", "content_filter")


@pytest.mark.parametrize(
    ("ends", "words"),
    {
        "stop": "stop STOP eos_token end_turn stop_sequence done completed FINISH_REASON_STOP",
        "length": "length MAX_TOKENS max_new_tokens model_context_window_exceeded token_limit incomplete",
        "content_filter": "content_filter SAFETY recitation PROHIBITED_CONTENT blocklist sensitive",
    }.items(),
)
def test_ends_are_told_by_what_is_in_their_word(ends: str, words: str) -> None:
    assert {read({}, word).finish_reason for word in words.split()} == {ends}


@pytest.mark.parametrize(
    "word",
    [
        "error",
        "abort",
        "cancelled",
        "insufficient_system_resource",
        "network_error",
        "other",
        "endpoint_gone",
        "abandoned",
    ],
)
def test_an_answer_that_broke_off_is_none(word: str) -> None:
    found = parsed({}, word)
    assert isinstance(found, Invalid)
    assert f"unknown word, {word!r}" in found.reason


@pytest.mark.parametrize(
    "form", [{"tool_calls": [{"function": {"name": "look"}}]}, {"function_call": {"name": "look"}}]
)
@pytest.mark.parametrize("reason", ["stop", "tool_calls"])
def test_a_call_where_no_tool_was_offered_is_no_empty_answer(form: dict[str, Any], reason: str) -> None:
    found = parsed({"content": "", **form}, reason)
    assert isinstance(found, Invalid)
    assert found.reason == "it calls a tool (`look`), and none was offered"
