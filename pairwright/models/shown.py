"""The arguments of a chat template: turns, tools, documents and variables, all of them text from data."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pairwright.records import Beside, Message, ToolCall

TOOLS, DOCUMENTS, CALLS, VARIABLES = "tools", "documents", "tool calls", "`chat_template_kwargs`"

_SURROGATE = re.compile("[\ud800-\udfff]")
_STAND_INS = range(0xF0000, 0xFFFFE)  # private use: no template looks for them


class Shown(NamedTuple):
    """The arguments of a chat template."""

    turns: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    documents: list[dict[str, Any]] | None = None
    variables: Mapping[str, Any] = MappingProxyType({})
    """Those that hold for all conversations, and over them the conversation's own."""
    own: frozenset[str] = frozenset()
    """The names of the conversation's own variables."""


def shown(messages: Sequence[Message], variables: Mapping[str, Any] = MappingProxyType({})) -> Shown:
    """Return what a template is given for a conversation, in the form that `apply_chat_template` takes."""
    beside = next((m.beside for m in messages if m.beside), None) or Beside()
    own = json.loads(beside.chat_template_kwargs or "{}")
    return Shown(
        [_turn(message) for message in messages],
        json.loads(beside.tools) if beside.tools else None,
        json.loads(beside.documents) if beside.documents else None,
        {**variables, **own},
        frozenset(own),
    )


def texts_of(given: Shown) -> list[str]:
    """Return every text that comes from data."""
    said = ({name: text for name, text in turn.items() if name != "role"} for turn in given.turns)
    own = {name: value for name, value in given.variables.items() if name in given.own}
    return list(_texts([*said, given.tools, given.documents, own]))


def changed(given: Shown, change: Callable[[str], str]) -> Shown:
    """Return the conversation with every such text changed, keys of objects in tools and calls too."""
    turns = [
        {name: value if name == "role" else _changed(value, change) for name, value in turn.items()}
        for turn in given.turns
    ]
    own = {
        name: _changed(value, change) if name in given.own else value
        for name, value in given.variables.items()
    }
    tools, documents = (_changed(value, change) for value in (given.tools, given.documents))
    return Shown(turns, tools, documents, own, given.own)


def folded(given: Shown) -> Shown:
    """Return the conversation with the system message at the head of the user's first."""
    system, user, *rest = given.turns
    return given._replace(turns=[user | {"content": f"{system['content']}\n\n{user['content']}"}, *rest])


def kinds_in(given: Shown) -> set[str]:
    """Return what a template is given besides messages' texts: tools, documents, variables."""
    there = {
        TOOLS: given.tools,
        DOCUMENTS: given.documents,
        CALLS: any("tool_calls" in turn for turn in given.turns),
        VARIABLES: given.own,
    }
    return {kind for kind, value in there.items() if value}


def without(given: Shown, kind: str) -> Shown:
    """Return the conversation without one of these kinds."""
    if kind == TOOLS:
        return given._replace(tools=None)
    if kind == DOCUMENTS:
        return given._replace(documents=None)
    if kind == VARIABLES:
        rest = {name: value for name, value in given.variables.items() if name not in given.own}
        return given._replace(variables=rest, own=frozenset())
    turns = [{name: value for name, value in turn.items() if name != "tool_calls"} for turn in given.turns]
    return given._replace(turns=turns)


def form_of(given: Shown) -> tuple[tuple[str, bool, bool], ...]:
    """Return the roles in turn, and whether each turn has text and calls tools."""
    return tuple(
        (turn["role"], bool(turn["content"].strip()), "tool_calls" in turn) for turn in given.turns
    )


def marked(given: Shown) -> Shown:
    """Return the conversation with a unique word in place of each turn's text."""
    turns = [
        turn | {"content": f"Abcturn{number}cba"} if turn["content"].strip() else turn
        for number, turn in enumerate(given.turns)
    ]
    return given._replace(turns=turns)


def left_out(tried: Shown, text: str) -> str | None:
    """Return the role of the first turn of a `marked` conversation that a rendered text leaves out."""
    said = ((turn["role"], turn["content"].strip()) for turn in tried.turns)
    return next((role for role, word in said if word not in text), None)


def stand_ins(marks: set[str], contents: Sequence[str]) -> Mapping[int, str]:
    """Return for each mark (a character) one that no content holds, as `str.translate` takes it."""
    taken = set().union(*contents)
    free = (chr(point) for point in _STAND_INS if chr(point) not in taken)
    return {ord(mark): next(free) for mark in sorted(marks)}


def well_formed(text: str) -> str:
    """Return the text with U+FFFD for every lone surrogate, which no tokenizer can read."""
    return _SURROGATE.sub("\ufffd", text)


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.reasoning:
        turn |= {"reasoning_content": message.reasoning, "thinking": message.reasoning}
    if message.tool_calls:
        turn["tool_calls"] = [_call(call) for call in message.tool_calls]
    return turn | {
        name: value for name in ("tool_call_id", "name") if (value := getattr(message, name)) is not None
    }


def _call(call: ToolCall) -> dict[str, Any]:
    """A call with its arguments as an object, as templates want them; as text where they are none."""
    arguments: Any = call.function.arguments
    try:
        read = json.loads(arguments)
    except (ValueError, RecursionError):
        read = None
    named = {"id": call.id} if call.id is not None else {}
    function = {"name": call.function.name, "arguments": read if isinstance(read, dict) else arguments}
    return {**named, "type": call.type, "function": function}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(name): _changed(inner, change) for name, inner in value.items()}
    return [_changed(inner, change) for inner in value] if isinstance(value, list) else value
