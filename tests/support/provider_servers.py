"""Providers as their SDKs meet them: replies in four protocols, from the public descriptions of these."""

import json
from typing import Any

from family_servers import instance
from plain_server import Json

PROVIDERS = ("openai", "anthropic", "mistral", "gemini")
KEYS = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "gemini": "GEMINI_API_KEY",
}
PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "mistral": "/v1/chat/completions",
    "gemini": "/models/m:generateContent",
}
FIELDS = {
    "openai": {"model", "messages", "max_completion_tokens", "temperature", "top_p", "seed"},
    "anthropic": {"model", "messages", "max_tokens", "temperature", "top_p"},
    "mistral": {"model", "messages", "max_tokens", "temperature", "top_p", "random_seed", "stream"},
    "gemini": {"contents", "generationConfig"},
}
_FINISH = {
    "stop": {"anthropic": "end_turn", "gemini": "STOP"},
    "length": {"anthropic": "max_tokens", "gemini": "MAX_TOKENS"},
    "content_filter": {"anthropic": "refusal", "gemini": "SAFETY"},
}


def said_by(provider: str, body: Json, finish: str = "stop") -> Json:
    """A provider's reply, held to the schema that is asked for, after a thought."""
    text = _held(body) or "free"
    reason = _FINISH[finish].get(provider, finish)
    if provider == "anthropic":
        content = [{"type": "thinking", "thinking": "let me see", "signature": "s"}]
        content = [] if body.get("thinking", {}).get("type") == "disabled" else content
        return {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [*content, {"type": "text", "text": text}],
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {"input_tokens": 5, "output_tokens": 7},
        }
    if provider == "gemini":
        parts = [{"text": "let me see", "thought": True}, {"text": text}]
        return {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 5},
        }
    message: Json = {"role": "assistant", "content": text, "reasoning_content": "let me see"}
    if provider == "mistral":
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": "let me see"}]}
        message = {"role": "assistant", "content": [thought, {"type": "text", "text": text}]}
    choice: Json = {"index": 0, "finish_reason": reason, "message": message}
    if body.get("logprobs"):
        tops = [
            {"token": text, "logprob": -0.1, "bytes": None},
            {"token": "no", "logprob": -3.0, "bytes": None},
        ]
        choice["logprobs"] = {"content": [{**tops[0], "top_logprobs": tops}]}
        del message["reasoning_content"]
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    named = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
    return {**named, "choices": [choice], "usage": usage}


def refused_by(provider: str, status: int, message: str) -> Json:
    """A provider's refusal, as `PlainServer` sends it."""
    error: Json = {"message": message}
    error |= {"code": status, "status": "REFUSED"} if provider == "gemini" else {"type": "some_error"}
    return {"error": error, "status": status}


def _held(body: Json) -> str | None:
    schema = _schema(body)
    return json.dumps(instance(schema)) if schema else None


def _schema(value: Any) -> Json | None:
    """The schema in a request, wherever its protocol has it."""
    if not isinstance(value, dict):
        return None
    for name in ("schema", "responseJsonSchema", "responseSchema", "schema_definition"):
        if isinstance(value.get(name), dict):
            return _lower(value[name])
    return next((found for inner in value.values() if (found := _schema(inner))), None)


def _lower(schema: Json) -> Json:
    """A schema with its types as JSON schemas write them; Gemini's are upper case."""
    found = dict(schema)
    if "type" in found:
        found["type"] = found["type"].lower()
    if "properties" in found:
        found["properties"] = {name: _lower(inner) for name, inner in found["properties"].items()}
    return found
