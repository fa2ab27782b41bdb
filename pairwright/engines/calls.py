"""Tool calls in the text of an answer, in the form of Hermes and Qwen.

`<tool_call>{"name": …, "arguments": {…}}</tool_call>`: such a model's template writes the same call from a
message that has it under `tool_calls`, with tokens of its own, and not from a text that looks like it.
"""

import json
import re

from pairwright.records import Completion, Function, ToolCall

_CALL = re.compile(r"\s*<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)


def with_calls(completion: Completion) -> Completion:
    """Return the completion with the tool calls that end its text apart, if all of them can be read."""
    first = _CALL.search(completion.text)
    if first is None or completion.tool_calls:
        return completion
    calls, place = [], first.start()
    while found := _CALL.match(completion.text, place):
        call = _read(found[1])
        if call is None:
            return completion
        calls.append(call)
        place = found.end()
    if completion.text[place:].strip():
        return completion  # text between calls or after them, for which messages have no place
    text = completion.text[: first.start()]
    return completion.model_copy(update={"text": text, "tool_calls": tuple(calls)})


def _read(text: str) -> ToolCall | None:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    name, arguments = said.get("name"), said.get("arguments", {})
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return None
    return ToolCall(function=Function(name=name, arguments=json.dumps(arguments, ensure_ascii=False)))
