"""What a chat template shows besides messages, and the tools that messages call.

`tools`, `documents` and `chat_template_kwargs` have columns of their own, as values or as JSON text; the
model's chat template renders them, in sampling as in training. Calls stand in the assistant's messages.
"""

import json
from collections.abc import Mapping
from typing import Any

from pairwright.errors import UsageError
from pairwright.records import Beside, Function, Message, ToolCall, conversation

SHOWN = ("tools", "documents", "chat_template_kwargs")
"""Columns whose values a chat template shows beside the messages."""
FUNCTION_CALL = "function_call"
"""Who speaks, in ShareGPT's form, where a tool is called; the turn's text is the JSON of the call."""
_FORMS = {
    "tools": "a list of tools, each an object with a `function` or a `name`",
    "documents": "a list of objects",
    "chat_template_kwargs": "an object",
}
_OURS = ("messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "tokenize")
"""Variables of templates that no row sets."""


def beside_of(
    record: Mapping[str, Any], shown: Mapping[str, str], where: str, *, padded: bool
) -> Beside | None:
    """Return the values of the columns in `shown`, by name; None where there are none. Raises `UsageError`.

    `padded` says that objects have a null for every key that other objects of the column have, as Arrow
    keeps them.
    """
    found = {name: text_of(record.get(column), name, where, padded) for name, column in shown.items()}
    return Beside(**found) if any(found.values()) else None


def text_of(value: Any, name: str, where: str, padded: bool) -> str | None:
    """Return the value of such a column as JSON text; None for nothing. Raises `UsageError`."""
    if isinstance(value, str) and value.strip():
        value, padded = _read(value, f"{where}: `{name}`"), False
    if value is None or value == [] or value == {} or isinstance(value, str):
        return None
    value = without_nulls(value) if padded else value
    if not _is_one(value, name):
        raise UsageError(f"{where}: `{name}` must be {_FORMS[name]}, as it is or as JSON text")
    if name == "chat_template_kwargs" and (ours := sorted(value.keys() & set(_OURS))):
        raise UsageError(f"{where}: `{name}` cannot set `{ours[0]}`")
    return None if value == {} else json.dumps(value, ensure_ascii=False)


def calls_of(message: Any, where: str, *, padded: bool) -> tuple[ToolCall, ...]:
    """Return the tools that a message calls, as it is stored; mostly none. Raises `UsageError`."""
    if not isinstance(message, Mapping):
        return ()
    if str(message.get("from")).lower() == FUNCTION_CALL and message.get("role") is None:
        said = message.get("value")
        said = _read(said, f"{where}: a turn of {FUNCTION_CALL}") if isinstance(said, str) else said
        return tuple(_call(call, where, padded) for call in (said if isinstance(said, list) else [said]))
    given = message.get("tool_calls")
    if isinstance(given, str) and given.strip():
        given, padded = _read(given, f"{where}: `tool_calls`"), False
    if given in (None, [], ""):
        return ()
    if not isinstance(given, list):
        raise UsageError(f"{where} holds `tool_calls` that are no list")
    return tuple(_call(call, where, padded) for call in given)


def with_beside(prompt: tuple[Message, ...], beside: Beside | None) -> tuple[Message, ...]:
    """Return the conversation with its tools, documents and variables."""
    if beside is None or not prompt:
        return prompt
    return (prompt[0].model_copy(update={"beside": beside}), *prompt[1:])


def stored_prompt(row: Mapping[str, Any], where: str) -> tuple[Message, ...]:
    """Return the prompt of a run's row, with its tools, documents and variables."""
    shown = {name: name for name in SHOWN if name in row}
    return with_beside(conversation(row["prompt"]), beside_of(row, shown, where, padded=True))


def columns_beside(prompt: tuple[Message, ...]) -> dict[str, str]:
    """Return what is shown beside a conversation, as columns of its row."""
    beside = next((message.beside for message in prompt if message.beside), None)
    return beside.model_dump() if beside else {}


def _call(call: Any, where: str, padded: bool) -> ToolCall:
    wrong = UsageError(
        f'{where} holds a tool call that is not {{"function": {{"name": "…", "arguments": {{…}}}}}}'
    )
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        raise wrong
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise wrong
    arguments, id_, kind = function.get("arguments"), call.get("id"), call.get("type") or "function"
    if arguments is None or arguments == "":
        arguments = {}
    if not isinstance(arguments, str):
        if not isinstance(arguments, Mapping):
            raise wrong
        arguments = json.dumps(without_nulls(arguments) if padded else arguments, ensure_ascii=False)
    if kind != "function" or not (id_ is None or isinstance(id_, str)):
        raise wrong
    return ToolCall(id=id_ or None, function=Function(name=name, arguments=arguments))


def _read(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{where} is text that is no JSON; write a list or an object") from None


def _is_one(value: Any, name: str) -> bool:
    """Whether a value has the form that its column needs."""
    if name == "chat_template_kwargs":
        return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    if not isinstance(value, list) or not all(isinstance(item, Mapping) and item for item in value):
        return False
    return name == "documents" or all("function" in item or "name" in item for item in value)


def without_nulls(value: Any) -> Any:
    """Return a value without the keys that hold nothing: Arrow adds those that another row has."""
    if isinstance(value, Mapping):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value
