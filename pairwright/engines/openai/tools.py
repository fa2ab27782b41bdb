"""Messages of the chat-completions protocol, with tools and tool calls."""

import json
import re
from typing import Any

from pairwright.records import Beside, Function, Message, Request, ToolCall, stored

_SURROGATE = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    """Return the text with U+FFFD for halves of characters, which neither UTF-8 nor Parquet can hold."""
    return _SURROGATE.sub("\ufffd", text)


def beside_in(request: Request) -> Beside | None:
    """Return the tools, documents and variables of a request."""
    return next((m.beside for m in request.messages if m.beside), None)


def sent(message: Message) -> dict[str, Any]:
    """Return a message as it is sent; one that only calls tools has no content."""
    said = stored([message])[0] | {"content": whole(message.content)}
    return said | {"content": None} if message.tool_calls and not message.content else said


def calls_in(value: Any) -> tuple[ToolCall, ...] | None:
    """Return the calls under `tool_calls` of an answer; None where there is something else."""
    found = []
    for call in value or ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            return None
        name, arguments, id_ = function.get("name"), function.get("arguments") or "{}", call.get("id")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)  # as Ollama has them
        if not isinstance(name, str) or not name or not isinstance(arguments, str):
            return None
        named = Function(name=whole(name), arguments=whole(arguments))
        found.append(ToolCall(id=whole(id_) if isinstance(id_, str) and id_ else None, function=named))
    return tuple(found)
