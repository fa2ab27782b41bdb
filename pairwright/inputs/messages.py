"""Values in data files as messages, or why a model cannot be shown them as they are."""

import json
import logging
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pairwright.errors import UsageError
from pairwright.inputs.beside import FUNCTION_CALL, calls_of
from pairwright.inputs.transcripts import turns_of
from pairwright.records import ROLES, Message

log = logging.getLogger(__name__)

_MESSAGE_KEYS = ({"role", "content"}, {"from", "value"})
_SHAREGPT = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
    "tool": "tool",
    "observation": "tool",
}
_SHOWN_BY_TEMPLATES = {
    "tool_calls": "tool calls of others than the assistant",
    "tool_call_id": "tool calls of others than a tool",
    "function_call": "tool calls but under `tool_calls`",
    "function_calls": "tool calls but under `tool_calls`",
    "functions": "tools but in a column `tools`",
    "tools": "tools but in a column `tools`",
    "name": "names of speakers",
    "reasoning_content": "thoughts",
    "reasoning": "thoughts",
    "thinking": "thoughts",
    "images": "pictures",
    "image": "pictures",
    "audio": "sound",
    "videos": "films",
    "documents": "documents",
    "prefix": "prefixes",
}
"""Keys of a message that a chat template may render, and what they hold; models are shown none of it but
the calls of assistants and whose answer a tool's is."""
_CALLS = {"assistant": ("tool_calls",), "tool": ("tool_call_id", "name")}


_WRITTEN = re.compile(
    r"""\s*\[?\s*\{\s*(?:(["'])(?:role|content|from|value)\1|"(?:messages|conversations|type|text)")\s*:"""
    r""".*[\]}]\s*""",
    re.DOTALL,
)
"""Messages, or parts of one, written out in a text, as JSON or as Python shows them."""
_PLAIN = {"role", "content"}
_SPEAKERS = ("system", "user", "assistant")
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Keys of a message under which it is stored what the assistant thought before it."""


def messages_of(
    value: Any, where: str, role: str, *, thoughts: bool = False, padded: bool = False
) -> tuple[Message, ...]:
    """Return the messages of a value: text (of `role`, or a transcript), one message, or a list of them.

    `thoughts` are read where they are wanted; a message that holds one is refused elsewhere. `padded` is
    as for `calls_of`.
    Raises `UsageError` that begins with `where`, which names the row and the column.
    """
    if value is None or value == [] or (isinstance(value, str) and not value.strip()):
        raise UsageError(f"{where} is empty; fill it or remove the row")
    if isinstance(value, str):
        _refuse_written(value, where)
        if role == "user" and _TURNS.match(value):
            _refuse_turns(value, where)
        return turns_of(value, where) or (Message(role=role, content=value),)
    if isinstance(value, Mapping) and any(form <= value.keys() for form in _MESSAGE_KEYS):
        value = [value]
    if not isinstance(value, list):
        raise UsageError(f"{where} is {kind_of(value)}; it must be text or a list of messages")
    if all(isinstance(item, str) for item in value):
        raise UsageError(f"{where} is a list of texts; a conversation is a list of messages")
    return tuple(_message(item, where, thoughts, padded) for item in value)


def _refuse_written(text: str, where: str) -> None:
    """Raise for messages in the form of one text, which models would be shown with brackets and keys."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return
    how = "as Python shows them"
    if found[1] != "'":
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not _are_messages(said):
            return
        how = "in JSON"
    raise UsageError(
        f"{where} is a text that holds messages {how}; give them as a list of objects (in a table as "
        "JSON), or, where that text is what is meant, as the content of a message"
    )


_TURNS = re.compile(r"""\s*\[\s*(?:"|null\b)""")


def _refuse_turns(text: str, where: str) -> None:
    """Raise for a prompt that is a list of texts in JSON: the turns of a conversation, in one cell."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return
    if all(isinstance(turn, str | None) for turn in said):
        raise UsageError(
            f"{where} is a text that holds a list of texts in JSON, as turns of a conversation are stored; "
            "give them as messages, or, where that text is what is meant, as the content of a message"
        )


def _are_messages(said: Any) -> bool:
    """Whether a value of JSON is messages, an object that has them, or parts of a message's text."""
    if isinstance(said, dict):
        inner = [value for key in ("messages", "conversations") if isinstance(value := said.get(key), list)]
        said = inner[0] if inner else [said]
    elif all(isinstance(part, dict) and part.get("type") == "text" and "text" in part for part in said):
        return True
    return all(isinstance(i, dict) and any(form <= i.keys() for form in _MESSAGE_KEYS) for i in said)


def last_of(value: Any) -> Any:
    """Return the last message of a value as it is stored."""
    return value[-1] if isinstance(value, list) and value else value


def thought_of(value: Any, where: str) -> str | None:
    """Return the thought in a value's last message, if any. Raises `UsageError` for one that is no text."""
    last = last_of(value)
    if not isinstance(last, Mapping):
        return None
    found = next((last[key] for key in THOUGHTS if last.get(key)), None)
    if found is not None and not isinstance(found, str):
        raise UsageError(f"{where} holds a thought that is {kind_of(found)}; it must be text")
    return found


def _message(value: Any, where: str, thoughts: bool, padded: bool) -> Message:
    if type(value) is dict and value.keys() == _PLAIN:  # as nearly all are, and nothing more to look for
        role, content = value["role"], value["content"]
        if type(content) is str and type(role) is str and role in _SPEAKERS:
            return Message(role=role, content=content)
    if not isinstance(value, Mapping):
        raise UsageError(_no_message(where))
    calls = calls_of(value, where, padded=padded)
    told_twice = [value[name] for name in ("content", "value") if value.get(name) is not None]
    if len(told_twice) == 2 and told_twice[0] != told_twice[1]:
        raise UsageError(f"{where} holds a message with a `content` and another `value`; leave one of them")
    if value.get("from") is not None and value.get("role") is None:
        role, content = _SHAREGPT.get(str(value["from"]).lower()), value.get("value")
        if str(value["from"]).lower() == FUNCTION_CALL:
            role, content = "assistant", ""
        if role is None:
            known = ", ".join((*_SHAREGPT, FUNCTION_CALL))
            raise UsageError(f"{where} holds a turn from {value['from']!r}; turns are from {known}")
    else:
        role, content = value.get("role"), value.get("content")
    read = _CALLS.get(str(role), ())
    told = thoughts and role == "assistant"
    _refuse_unshown(value, where, but=(*read, *(THOUGHTS if told else ())))
    if isinstance(content, list):
        content = _joined(content, where)
    if content is None and calls:
        content = ""
    if not isinstance(role, str) or not isinstance(content, str):
        raise UsageError(_no_message(where))
    if role not in ROLES:
        raise UsageError(f"{where} holds a message of {role!r}; roles are {', '.join(sorted(ROLES))}")
    thought = thought_of(value, where) if told else None
    further = {name: _label(value.get(name), name, where) for name in read if name != "tool_calls"}
    return Message(role=role, content=content, reasoning=thought, tool_calls=calls, **further)


def _no_message(where: str) -> str:
    return f'{where} holds a message that is not {{"role": …, "content": "text"}}'


def _label(value: Any, name: str, where: str) -> str | None:
    """The name of a tool or the id of a call."""
    if value is None or isinstance(value, str):
        return value or None
    raise UsageError(f"{where} holds a message whose `{name}` is {kind_of(value)}; it must be text")


def _refuse_unshown(message: Mapping[str, Any], where: str, but: tuple[str, ...] = ()) -> None:
    """Raise for what a template would render and is not shown; say once what else is left out."""
    for key, value in message.items():
        if key in but or value in (None, "", [], {}, False):
            continue
        if key in _SHOWN_BY_TEMPLATES:
            raise UsageError(
                f"{where} holds a message with `{key}`, and {_SHOWN_BY_TEMPLATES[key]} are not shown to "
                "models here; write them into `content`, or remove the row"
            )
        if key not in ("role", "content", "from", "value"):
            _said_once(key)


@cache
def _said_once(key: str) -> None:
    log.warning("messages hold `%s`, which no model is shown: left out", key)


def _joined(parts: list[Any], where: str) -> str:
    """Text that is given in parts. Raises `UsageError` for a part that is not text."""
    for part in parts:
        kind = part.get("type", "text") if isinstance(part, Mapping) else None
        text = part.get("text") if isinstance(part, Mapping) else part
        if kind not in (None, "text") or not isinstance(text, str):
            said = f"of type `{kind}`" if kind not in (None, "text") else "without text"
            raise UsageError(
                f"{where} holds a message with a part {said}; only text is shown to models here"
            )
    return "".join(part["text"] if isinstance(part, Mapping) else part for part in parts)


def kind_of(value: Any) -> str:
    """Name the kind of a JSON value."""
    names = {dict: "an object", int: "a number", float: "a number", str: "text", bool: "true or false"}
    names[bytes] = "bytes"
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")
