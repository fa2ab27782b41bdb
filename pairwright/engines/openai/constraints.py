"""The ways in which servers constrain an answer to choices or a JSON schema, and how it is read."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pairwright.engines.probe import Kind
from pairwright.records import Request

_NAME = "answer"
_ROOM = 24
"""Tokens that the JSON around a choice may take, beside the choice itself."""

Json = dict[str, Any]


class Way(NamedTuple):
    """The fields of a request for choices or for a schema; None where the way has none."""

    choices: Callable[[Sequence[str]], Json] | None = None
    schema: Callable[[Json], Json] | None = None
    wraps: bool = False
    """Whether a choice comes inside of a JSON object: then no log-probability is that of its label."""


def _formatted(schema: Json) -> Json:
    form = {"name": _NAME, "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def _called(schema: Json) -> Json:
    function = {"name": _NAME, "description": "Give the answer.", "parameters": schema}
    return {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": _NAME}},
    }


def _one_of(choices: Sequence[str]) -> Json:
    return {
        "type": "object",
        "properties": {_NAME: {"type": "string", "enum": list(choices)}},
        "required": [_NAME],
        "additionalProperties": False,
    }


def _pattern(choices: Sequence[str]) -> str:
    return f"({'|'.join(map(re.escape, choices))})"


WAYS: Mapping[str, Way] = {
    "vllm": Way(lambda c: {"structured_outputs": {"choice": list(c)}}),
    "guided": Way(lambda c: {"guided_choice": list(c)}, lambda s: {"guided_json": s}),
    "regex": Way(lambda c: {"regex": _pattern(c)}),
    "grammar": Way(lambda c: {"grammar": f"root ::= {' | '.join(map(json.dumps, c))}"}),
    "tgi": Way(
        lambda c: {"response_format": {"type": "regex", "value": _pattern(c)}},
        lambda s: {"response_format": {"type": "json", "value": s}},
    ),
    "schema": Way(lambda c: _formatted(_one_of(c)), _formatted, wraps=True),
    "json": Way(
        lambda c: {"response_format": {"type": "json_object", "schema": _one_of(c)}},
        lambda s: {"response_format": {"type": "json_object", "schema": s}},
        wraps=True,
    ),
    "tool": Way(lambda c: _called(_one_of(c)), _called, wraps=True),
}
"""vLLM; vLLM before 0.12; SGLang; llama.cpp; TGI; OpenAI and most others; llama-cpp-python; Anthropic,
DeepSeek and others that have tools only."""


def ways_for(kind: Kind, names: Sequence[str]) -> list[str]:
    """Return those of these ways that can hold an answer to such a constraint, a schema's field first."""
    if kind == "choice":
        return [name for name in names if WAYS[name].choices is not None]
    found = [name for name in names if WAYS[name].schema is not None]
    return sorted(found, key=lambda name: name != "schema")


def constrained(body: Json, request: Request, way: str | None) -> Json:
    """Return the body of a request with its constraint, if it has one, in one of the ways."""
    if way is None:
        return body
    if request.choices and (of_choices := WAYS[way].choices) is not None:
        found = body | of_choices(request.choices)
        if WAYS[way].wraps:
            longest = max(len(choice.encode()) for choice in request.choices)
            found["max_tokens"] = max(body["max_tokens"], _ROOM + longest)
        return found
    if request.json_schema is not None and (of_schema := WAYS[way].schema) is not None:
        return body | of_schema(request.json_schema)
    return body


def as_sent(request: Request, way: str | None) -> Request:
    """Return the request as it is made in a way, without what cannot be asked for in it."""
    if request.choices and way is not None and WAYS[way].wraps and request.sampling.logprobs:
        return request.model_copy(update={"sampling": request.sampling.model_copy(update={"logprobs": 0})})
    if request.json_schema is not None and way is None:
        return request.model_copy(update={"json_schema": None})
    return request


def as_message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a server's choice with the arguments of the tool that was asked for as its text."""
    message = choice.get("message")
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(calls, list) or len(calls) != 1:
        return choice
    function = calls[0].get("function") if isinstance(calls[0], dict) else None
    if not isinstance(function, dict) or function.get("name") != _NAME:
        return choice
    said = function.get("arguments")
    text = said if isinstance(said, str) else json.dumps(said)
    reason = "length" if choice.get("finish_reason") == "length" else "stop"
    return {**choice, "message": {**message, "content": text, "tool_calls": None}, "finish_reason": reason}


def unwrapped(text: str, choices: Sequence[str]) -> str:
    """Return the choice in a JSON object that holds one; other texts as they are."""
    if not choices or not text.lstrip().startswith("{"):
        return text
    try:
        said = json.loads(text)[_NAME]
    except (ValueError, KeyError, TypeError, RecursionError):
        return text
    return said if isinstance(said, str) else text
