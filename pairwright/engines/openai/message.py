"""The message of a reply: its answer, the thought before it, and the tools that it calls."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pairwright.engines.openai.tools import calls_in, whole
from pairwright.records import FinishReason, ToolCall

_ENDS: tuple[tuple[FinishReason, re.Pattern[str]], ...] = (
    (
        "content_filter",
        re.compile(
            r"filter|safety|refus|prohibit|block|recit|moderat|sensitive|polic|spii|guardrail", re.I
        ),
    ),
    ("length", re.compile(r"length|limit|max\w*tokens|truncat|context|incomplete|unfinished", re.I)),
    ("stop", re.compile(r"stop|eos|(?<![a-z])(end|done|completed?|finished|success)(?![a-z])", re.I)),
)
"""How an answer ended, by what is in the server's word for it."""
_BROKEN_OFF = re.compile(
    r"abort|cancel|error|fail|timeout|interrupt|suspend|insufficient|unspecified|pending|rate_?limit",
    re.IGNORECASE,
)
"""What is in the words for an answer that did not end."""
CALLED = ("tool_calls", "function_call", "tool_use")
"""Finish reasons of an answer that calls tools; where none were shown, it is none."""

_OF_ANSWERS = ("text", "output_text")
"""Kinds of parts that hold the answer; a part without a kind does too."""
_THOUGHT = re.compile(r"think|thought|reasoning|chain_?of_?thought|\bcot\b|scratchpad", re.IGNORECASE)
"""What is in the names of fields, and kinds of parts, that hold a thought."""
_NOT_READ = re.compile(
    r"tokens|effort|signature|encrypted|redacted|_id$|format|type|mode|level|budget|time", re.IGNORECASE
)
"""What is in the names of those beside it that are no text to be read."""
_FIRST_READ = ("reasoning_content", "reasoning")
_HELD = ("text", "thinking", "summary", "content", "reasoning", "value", "output_text")
"""Fields in which an object holds its text."""


class UnusableError(ValueError):
    """Raised while a reply is read, and by nothing else."""

    def __init__(self, reason: str, error: bytes = b"") -> None:
        super().__init__(reason)
        self.error = error


def called(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """Return the tools that a message calls."""
    calls = calls_in(_calls(message))
    if calls is None:
        raise UnusableError("a tool call has no name, or arguments that are no text")
    return calls


def _calls(message: Mapping[str, Any]) -> list[Any]:
    """What stands under `tool_calls`, or under `function_call` as before there were several."""
    if calls := message.get("tool_calls"):
        return calls if isinstance(calls, list) else [calls]
    legacy = message.get("function_call")
    return [{"function": legacy}] if legacy else []


def text_of(
    message: Mapping[str, Any], reason: Any, calls: tuple[ToolCall, ...] = (), thought: str | None = None
) -> tuple[str, FinishReason]:
    """Return the answer in a message, and how it ended by the server's word for that."""
    content, refusal = message.get("content"), message.get("refusal") or _refusal_in(message.get("content"))
    finish = _ended(reason)
    if isinstance(refusal, str) and refusal and (not content or isinstance(content, list)):
        return whole(refusal), "content_filter"
    if not calls and any(_calls(message)):
        raise UnusableError(f"it calls a tool{_named(message)}, and none was offered")
    if str(reason).lower() in CALLED:
        if not calls:
            raise UnusableError(f"`finish_reason` is {reason!r}, and there is no call")
        finish = "stop"
    if finish is None:
        what = "says nothing" if reason in (None, "") else f"has an unknown word, {str(reason)[:40]!r}"
        raise UnusableError(f"`finish_reason` {what}, so that nobody knows whether the answer is whole")
    if content is None and (calls or thought or finish != "stop"):
        content = ""  # a call or a thought alone, filtered, or cut off before the answer began
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, list):
        content = _parts(content)
    if not isinstance(content, str):
        raise UnusableError(
            f"`content` is {'null' if content is None else type(content).__name__}, not text"
        )
    return whole(content), finish


def _ended(reason: Any) -> FinishReason | None:
    """How an answer ended; None where it did not, or nobody knows."""
    if not isinstance(reason, str) or _BROKEN_OFF.search(reason):
        return None
    return next((finish for finish, said in _ENDS if said.search(reason)), None)


def _named(message: Mapping[str, Any]) -> str:
    function = next((call.get("function") for call in _calls(message) if isinstance(call, dict)), None)
    name = function.get("name") if isinstance(function, dict) else None
    return f" (`{name[:40]}`)" if isinstance(name, str) else ""


def thought_of(message: Mapping[str, Any], beside: Mapping[str, Any]) -> str | None:
    """Return what servers put beside the answer, or among its parts, as the model's thought.

    `beside` is what stands around the message, where some servers have it.
    """
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    thoughts = [part for part in parts if isinstance(part, dict) and _is_thought(part)]
    further = message.get("provider_specific_fields")
    for holder in (message, further, beside):
        fields = holder if isinstance(holder, dict) else {}
        for name in sorted(fields, key=lambda name: name not in _FIRST_READ):
            if _THOUGHT.search(name) and not _NOT_READ.search(name) and (said := _joined(fields[name])):
                return said
        if holder is message and (said := _joined(thoughts)):
            return said
    return None


def _parts(content: list[Any]) -> str:
    """The answer in the parts of a message."""
    found = [part for part in content if isinstance(part, str) or _is_answer(part)]
    kinds = {
        str(p.get("type")) if isinstance(p, dict) else "no object" for p in content if not _is_thought(p)
    }
    if not found and kinds:
        raise UnusableError(f"`content` has no part that is text, but {', '.join(sorted(kinds))[:80]}")
    return "".join(said for part in found for said in _texts(part))


def _is_answer(part: Any) -> bool:
    known = isinstance(part, dict) and part.get("type", "text") in _OF_ANSWERS
    return known and not _is_thought(part)


def _is_thought(part: Any) -> bool:
    """Whether a part of a message holds what the model thought: by its kind, or as Gemini marks it."""
    return isinstance(part, dict) and (
        part.get("thought") is True or bool(_THOUGHT.search(str(part.get("type"))))
    )


def _refusal_in(content: Any) -> Any:
    """The text of a refusal that is the whole of a message's parts."""
    if not isinstance(content, list) or any(isinstance(part, str) or _is_answer(part) for part in content):
        return None
    return next(
        (part.get("refusal") for part in content if isinstance(part, dict) and part.get("refusal")), None
    )


def _joined(value: Any) -> str:
    """The texts in a field or part that holds a thought, one after the other."""
    return "\n\n".join(said for said in _texts(value) if said.strip()).strip("\r\n")


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value: itself, or those of its items, or what an object holds as its text."""
    if isinstance(value, str):
        yield whole(value)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict) and not _NOT_READ.search(str(value.get("type"))):
        yield "".join(_texts(next((value[name] for name in _HELD if value.get(name)), None)))
