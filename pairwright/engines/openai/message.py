"""The message of a reply: its answer, the thought before it, and the tools that it calls."""

from collections.abc import Mapping
from typing import Any

from pairwright.engines.openai.tools import calls_in, whole
from pairwright.records import FinishReason, ToolCall

FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "complete": "stop",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
}
"""Finish reasons as servers call them. Any other (an abort) ends no answer."""
CALLED = ("tool_calls", "function_call", "tool_use")
"""Finish reasons of an answer that calls tools; where none were shown, it is none."""

_OF_ANSWERS = {"text": "text", "output_text": "text"}
_OF_THOUGHTS = {
    "thinking": "thinking",
    "reasoning": "text",
    "reasoning.text": "text",
    "reasoning.summary": "summary",
}
"""Kinds of parts, each with the field that holds its text."""
_SILENT = {"redacted_thinking", "reasoning.encrypted"}
"""Kinds of parts that hold nothing to read."""


class UnusableError(ValueError):
    """Raised while a reply is read, and by nothing else."""

    def __init__(self, reason: str, error: bytes = b"") -> None:
        super().__init__(reason)
        self.error = error


def called(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """Return the tools that a message calls."""
    calls = calls_in(message.get("tool_calls"))
    if calls is None:
        raise UnusableError("a tool call has no name, or arguments that are no text")
    return calls


def text_of(
    message: Mapping[str, Any], reason: Any, calls: tuple[ToolCall, ...] = ()
) -> tuple[str, FinishReason]:
    """Return the answer in a message, and how it ended by the server's word for that."""
    content, refusal = message.get("content"), message.get("refusal")
    finish = FINISH.get(reason.lower()) if isinstance(reason, str) else None
    if calls and (finish is not None or str(reason).lower() in CALLED):
        finish, content = finish or "stop", content or ""
    if isinstance(refusal, str) and refusal and not content:
        return whole(refusal), "content_filter"
    if finish is None:
        what = "says nothing" if reason in (None, "") else f"has an unknown word, {str(reason)[:40]!r}"
        raise UnusableError(f"`finish_reason` {what}, so that nobody knows whether the answer is whole")
    if content is None and finish != "stop":
        content = ""  # filtered, or cut off before the answer began
    if isinstance(content, list):
        content = _parts(content)
    if not isinstance(content, str):
        raise UnusableError(f"`content` is not text but {type(content).__name__}")
    return whole(content), finish


def thought_of(message: Mapping[str, Any]) -> str | None:
    """Return what servers put beside the answer, or among its parts, as the model's thought."""
    content = message.get("content")
    for name in ("reasoning_content", "reasoning"):
        if isinstance(said := message.get(name), str) and said.strip():
            return whole(said).strip("\r\n")
    lists = [parts for parts in (content, message.get("reasoning_details")) if isinstance(parts, list)]
    parts = [part for several in lists for part in several]
    return "\n\n".join(_texts(parts, _OF_THOUGHTS)).strip("\r\n") or None


def _parts(content: list[Any]) -> str:
    """The answer in the parts of a message."""
    found = _texts(content, _OF_ANSWERS)
    kinds = {str(piece.get("type")) if isinstance(piece, dict) else "no object" for piece in content}
    if not found and (strange := sorted(kinds - _OF_THOUGHTS.keys() - _SILENT)):
        raise UnusableError(f"`content` has no part that is text, but {', '.join(strange)[:80]}")
    return "".join(found)


def _texts(parts: list[Any], kinds: Mapping[str, str]) -> list[str]:
    """The texts of some kinds of parts, each in the field named; a thought may be in parts again."""
    found = []
    for piece in parts:
        if isinstance(piece, dict) and (name := kinds.get(str(piece.get("type", "text")))):
            said = piece.get(name)
            found.append("".join(_texts(said, _OF_ANSWERS)) if isinstance(said, list) else said)
    return [whole(said) for said in found if isinstance(said, str)]
