"""What a value in a data file says as messages, or why it cannot be shown to a model as it is."""

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from pairwright.errors import UsageError
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
    "tool_calls": "tool calls",
    "tool_call_id": "tool calls",
    "function_call": "tool calls",
    "tools": "tools",
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
"""Keys of a message that a chat template may render, and what they hold; models are shown none of it."""


THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Keys of a message under which it is stored what the assistant thought before it."""


def messages_of(value: Any, where: str, role: str, *, thoughts: bool = False) -> tuple[Message, ...]:
    """The messages of a value: text (of `role`, or a transcript), one message, or a list of them.

    `thoughts` are read where they are wanted; a message that holds one is refused elsewhere.
    Raises `UsageError` that begins with `where`, which names the row and the column.
    """
    if value is None or value == [] or (isinstance(value, str) and not value.strip()):
        raise UsageError(f"{where} is empty; fill it or remove the row")
    if isinstance(value, str):
        return turns_of(value, where) or (Message(role=role, content=value),)
    if isinstance(value, Mapping) and any(form <= value.keys() for form in _MESSAGE_KEYS):
        value = [value]
    if not isinstance(value, list):
        raise UsageError(f"{where} is {kind_of(value)}; it must be text or a list of messages")
    if all(isinstance(item, str) for item in value):
        raise UsageError(f"{where} is a list of texts; a conversation is a list of messages")
    return tuple(_message(item, where, thoughts) for item in value)


def thought_of(value: Any, where: str) -> str | None:
    """The thought in a value's last message, if any. Raises `UsageError` for one that is no text."""
    last = value[-1] if isinstance(value, list) and value else value
    if not isinstance(last, Mapping):
        return None
    found = next((last[key] for key in THOUGHTS if last.get(key)), None)
    if found is not None and not isinstance(found, str):
        raise UsageError(f"{where} holds a thought that is {kind_of(found)}; it must be text")
    return found


def _message(value: Any, where: str, thoughts: bool) -> Message:
    if isinstance(value, Mapping) and "from" in value and "role" not in value:
        role, content = _SHAREGPT.get(str(value["from"])), value.get("value")
        if role is None:
            known = ", ".join(_SHAREGPT)
            raise UsageError(f"{where} holds a turn from {value['from']!r}; turns are from {known}")
    else:
        role, content = (
            (value.get("role"), value.get("content")) if isinstance(value, Mapping) else (None, None)
        )
    if isinstance(value, Mapping):
        told = thoughts and value.get("role", value.get("from")) in ("assistant", "gpt", "model")
        _refuse_unshown(value, where, but=THOUGHTS if told else ())
    if isinstance(content, list):
        content = _joined(content, where)
    if not isinstance(role, str) or not isinstance(content, str):
        raise UsageError(f'{where} holds a message that is not {{"role": …, "content": "text"}}')
    if role not in ROLES:
        raise UsageError(f"{where} holds a message of {role!r}; roles are {', '.join(sorted(ROLES))}")
    thought = thought_of(value, where) if thoughts and role == "assistant" else None
    return Message(role=role, content=content, reasoning=thought)


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
    """Text that is given in parts. Raises `UsageError` for a part that is none."""
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
    """What a JSON value is, in words."""
    return {dict: "an object", int: "a number", float: "a number", bool: "true or false"}.get(
        type(value), f"a {type(value).__name__}"
    )
