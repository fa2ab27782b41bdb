"""Answers that come as a stream of events although none was asked for, put together."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

_LINES = re.compile(r"\r\n|\r|\n")
"""What ends a line of server-sent events; other separators, such as U+2028, may stand in JSON."""


def put_together(body: bytes) -> Json | None:
    """Return the completion whose pieces a body of server-sent events holds, or None."""
    try:
        chunks = list(_chunks(body.decode()))
        broken = next((chunk for chunk in chunks if chunk.get("error")), None)
        return broken or (_whole(chunks) if chunks else None)
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return None


def _chunks(text: str) -> Iterator[Json]:
    for line in _LINES.split(text):
        said = line.removeprefix("data:").strip()
        if line.startswith("data:") and said not in ("", "[DONE]"):
            yield json.loads(said)


def _whole(chunks: list[Json]) -> Json:
    found: Json = {}
    message: Json = {"role": "assistant", "content": None}
    calls: dict[int, Json] = {}
    choice: Json = {"index": 0, "message": message, "finish_reason": None}
    for chunk in chunks:
        found |= {name: chunk[name] for name in ("model", "usage") if chunk.get(name)}
        for piece in chunk.get("choices") or ():
            if piece.get("index") not in (0, None):
                continue
            choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]
            for entry in (piece.get("logprobs") or {}).get("content") or ():
                choice.setdefault("logprobs", {"content": []})["content"].append(entry)
            _add(message, calls, piece.get("delta") or {})
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return {**found, "choices": [choice]}


def _add(message: Json, calls: dict[int, Json], delta: Mapping[str, Any]) -> None:
    """Lengthen a message, and the calls in it, by what one event brings."""
    for name, said in delta.items():
        if isinstance(said, str) and name != "role":
            message[name] = (message.get(name) or "") + said
        elif isinstance(said, list) and name != "tool_calls":
            message[name] = [*(message.get(name) or ()), *said]
    for call in delta.get("tool_calls") or ():
        function = calls.setdefault(
            call.get("index", 0), {"type": "function", "function": {"name": "", "arguments": ""}}
        )["function"]
        for name, said in (call.get("function") or {}).items():
            function[name] = function.get(name, "") + (said or "")
