"""The honest answer of the fault server, and all the ways in which it can be spoilt."""

import hashlib
import json
import math
import secrets
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def answer(body: Json) -> Json:
    """The honest answer to a request."""
    text = answer_text(body)
    choice: Json = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
        "logprobs": None,
    }
    if body.get("logprobs"):
        choice["logprobs"] = {"content": logprobs(text, body["top_logprobs"])}
    return {
        "id": f"chatcmpl-{digest(body)[:12]}",
        "object": "chat.completion",
        "created": 1,
        "model": f"{body['model']}@faultserver",
        "choices": [choice],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    }


def answer_text(body: Json) -> str:
    """Text of the honest answer: a constrained one obeys, a free one names its request."""
    mark = digest(body)
    if choices := body.get("structured_outputs", {}).get("choice"):
        return str(choices[int(mark, 16) % len(choices)])
    if response_format := body.get("response_format"):
        schema = response_format.get("json_schema", {"schema": {"type": "object"}})["schema"]
        return json.dumps(instance(schema, mark))
    return f"answer {mark[:16]}"


def digest(body: Json) -> str:
    """What an answer depends on: messages and seed, nothing else."""
    asked = json.dumps([body["messages"], body.get("seed")], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


def instance(schema: Json, mark: str) -> Any:
    """A value that a plain JSON schema accepts."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "object":
        return {k: instance(v, mark) for k, v in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema.get("items", {}), mark)]
    return {"integer": 1, "number": 0.5, "boolean": True, "null": None}.get(kind, mark[:8])


def logprobs(text: str, count: int) -> list[Json]:
    """One entry a word, the word itself likeliest."""
    entries = []
    for word in text.split():
        top = [{"token": word, "logprob": -0.1}]
        top += [{"token": f"{word}{i}", "logprob": -2.5 - i} for i in range(1, count)]
        entries.append({"token": word, "logprob": -0.1, "top_logprobs": top})
    return entries


# Bodies: the honest answer, spoilt. A dict is sent as JSON, bytes as they are.


def message(**changes: Any) -> Callable[[Json], Json]:
    return lambda a: {**a, "choices": [_with(a["choices"][0], "message", changes)]}


def choice(**changes: Any) -> Callable[[Json], Json]:
    return lambda a: {**a, "choices": [{**a["choices"][0], **changes}]}


def top(**changes: Any) -> Callable[[Json], Json]:
    return lambda a: {**a, **changes}


def logprob(value: Any) -> Callable[[Json], Json]:
    entry = {"token": "x", "logprob": value, "top_logprobs": [{"token": "x", "logprob": value}]}
    return choice(logprobs={"content": [entry]})


def _with(outer: Json, key: str, changes: Json) -> Json:
    return {**outer, key: {**outer[key], **changes}}


def _others(a: Json, *indices: int) -> Json:
    """Further choices around the honest one."""
    decoys = [{**_with(a["choices"][0], "message", {"content": "decoy"}), "index": i} for i in indices]
    return {**a, "choices": [*decoys, *a["choices"]]}


def _with_parts(a: Json) -> Json:
    """A thought and the answer as parts, as Mistral's models that reason give them."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "let me think"}]}
    text = a["choices"][0]["message"]["content"]
    return message(content=[thought, {"type": "text", "text": text}])(a)


_two = [{"token": token, "logprob": -0.1} for token in "xy"]
_both = {**_two[0], "top_logprobs": _two}

BODIES: dict[str, Callable[[Json], Json | bytes]] = {
    "ok": lambda a: a,
    "html": lambda a: b"<!doctype html><title>Welcome</title>",
    "empty": lambda a: b"",
    "truncated": lambda a: json.dumps(a).encode()[:-40],
    "bad_utf8": lambda a: json.dumps(a).encode().replace(b"answer", b"\xff\xfe\xc3"),
    "surrogate": lambda a: json.dumps(a).encode().replace(b"answer", b"half \\ud83d"),
    "empty_object": lambda a: {},
    "list": lambda a: b"[1, 2]",
    "null": lambda a: b"null",
    "deep": lambda a: b"[" * 200_000,
    "big_number": lambda a: b'{"choices": ' + b"9" * 10_000 + b"}",
    "error_200": lambda a: {"error": {"message": "overloaded", "code": 502}},
    "choices_null": top(choices=None),
    "choices_empty": top(choices=[]),
    "choices_dict": top(choices={"0": "x"}),
    "choices_text": top(choices=["x"]),
    "no_message": lambda a: {**a, "choices": [{"index": 0, "finish_reason": "stop"}]},
    "content_null": message(content=None),
    "content_int": message(content=42),
    "content_parts": lambda a: _with_parts(a),
    "content_empty": message(content=""),
    "content_space": message(content=" \n "),
    "reasoning": message(reasoning_content="let me think"),
    "cut_in_thought": lambda a: choice(finish_reason="length")(
        message(content=None, reasoning_content="let me")(a)
    ),
    "refusal": message(content=None, refusal="I cannot help with that."),
    "finish_length": choice(finish_reason="length"),
    "finish_filter": choice(finish_reason="content_filter"),
    "finish_unknown": choice(finish_reason="gave_up"),
    "finish_null": choice(finish_reason=None),
    "logprob_nan": logprob(math.nan),
    "logprob_inf": logprob(-math.inf),
    "logprob_null": logprob(None),
    "logprob_text": logprob("-0.5"),
    "logprob_positive": logprob(3.0),
    "logprobs_missing": choice(logprobs=None),
    "shuffled": lambda a: _others(a, 2, 1),
    "duplicated": lambda a: {**a, "choices": a["choices"] * 2},
    "no_index_0": choice(index=3),
    "no_index": choice(index=None),
    "other_model": top(model="somebody-else"),
    "model_int": top(model=7),
    "usage_wrong": top(usage={"prompt_tokens": "seven", "completion_tokens": -1}),
    "usage_missing": top(usage=None),
    "extra_fields": lambda a: top(novelty={"a": [1]})(choice(novelty=1)(a)),
    "unseeded": lambda a: message(content=secrets.token_hex(4))(a),
    "continued": lambda a: {**a, "usage": {**a["usage"], "prompt_tokens": 1}},
    "logprob_twice": choice(logprobs={"content": [_both]}),
    "unconstrained": message(content="I would rather say something else."),
    "bom": lambda a: b"\xef\xbb\xbf" + json.dumps(a).encode(),
}
