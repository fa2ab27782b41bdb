"""Which columns hold the prompt and the answers, and what one row of them says."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from pairwright.records import Message

PROMPTS = ("prompt", "instruction", "question", "messages")
ANSWERS = ("completion", "response", "output", "answer", "rejected")
_SIBLINGS = re.compile(r"(?:completion|response|output|answer)(?:_[a-z0-9]|[0-9])")
"""Columns of several answers to one prompt: `response_a`, `answer1` …"""


class Columns(NamedTuple):
    """Names of the columns to read; None is found by convention (`PROMPTS`, `ANSWERS`)."""

    prompt: str | None = None
    answer: str | None = None
    answers: tuple[str, ...] = ()
    """Columns of several answers to the prompt, where that is what is wanted."""

    @property
    def used(self) -> tuple[str, ...]:
        """Columns that are read and so not carried through."""
        alpaca = ("input",) if self.prompt == "instruction" else ()
        return tuple(n for n in (self.prompt, self.answer, *self.answers) if n) + alpaca


def find_columns(source: str, names: Sequence[str], wanted: Columns) -> Columns:
    """The columns to read. Raises `UsageError` naming those that are there."""
    if not names:
        raise UsageError(f"{source}: no rows in it; there is nothing to do")
    there = ", ".join(f"`{n}`" for n in names)
    answers = [(name, "--columns") for name in wanted.answers]
    for name, flag in (
        (wanted.prompt, "--prompt_column"), (wanted.answer, "--answer_column"), *answers
    ):  # fmt: skip
        if name is not None and name not in names:
            raise UsageError(f"{source}: no column `{name}` ({flag}); its columns are {there}")
    prompt = wanted.prompt or next((n for n in PROMPTS if n in names), None)
    if prompt is None:
        raise UsageError(
            f"{source}: no column of prompts ({', '.join(PROMPTS)}); its columns are {there}; "
            "name one with --prompt_column"
        )
    if wanted.answers:
        return Columns(prompt, None, wanted.answers)
    answer = wanted.answer or next((n for n in ANSWERS if n in names and n != prompt), None)
    return Columns(prompt, answer)


def sibling_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Columns that hold several answers to one prompt by convention; none when there are not two."""
    if "chosen" in names and "rejected" in names:
        return ("chosen", "rejected")
    found = tuple(name for name in names if _SIBLINGS.fullmatch(name))
    return found if len(found) > 1 else ()


def parse_row(
    record: Mapping[str, Any], columns: Columns, where: str
) -> tuple[tuple[Message, ...], str | None]:
    """Prompt messages and answer text of a row; no answer is None.

    Raises `UsageError` that begins with `where` and names the field.
    """
    assert columns.prompt is not None
    prompt = _messages(record.get(columns.prompt), f"{where}: `{columns.prompt}`", "user")
    if columns.prompt == "instruction" and isinstance(record.get("input"), str) and record["input"]:
        prompt = (Message(role="user", content=f"{prompt[0].content}\n\n{record['input']}"),)
    if columns.answer is None:
        if prompt[-1].role == "assistant" and columns.prompt == "messages":
            prompt, last = prompt[:-1], prompt[-1]
            _require_turns(prompt, f"{where}: `messages`")
            return prompt, last.content
        return prompt, None
    value = record.get(columns.answer)
    if value is None or value == "" or value == []:
        return prompt, None
    answer = _messages(value, f"{where}: `{columns.answer}`", "assistant")
    if len(answer) > 1 and answer[:-1] == prompt:
        answer = answer[-1:]
    if len(answer) != 1 or answer[0].role != "assistant":
        raise UsageError(
            f"{where}: `{columns.answer}` must be one assistant message (or text), "
            f"and is {len(answer)} messages that do not begin with the prompt"
        )
    return prompt, answer[0].content


def _messages(value: Any, where: str, role: str) -> tuple[Message, ...]:
    if isinstance(value, str):
        if not value.strip():
            raise UsageError(f"{where} is empty; fill it or remove the row")
        return (Message(role=role, content=value),)
    if value is None or (isinstance(value, list) and not value):
        raise UsageError(f"{where} is empty; fill it or remove the row")
    if not isinstance(value, list):
        raise UsageError(f"{where} is a {type(value).__name__}; it must be text or a list of messages")
    return tuple(_message(m, where) for m in value)


def _message(value: Any, where: str) -> Message:
    if (
        isinstance(value, dict)
        and isinstance(value.get("role"), str)
        and isinstance(value.get("content"), str)
    ):
        return Message(role=value["role"], content=value["content"])
    raise UsageError(f'{where} holds a message that is not {{"role": …, "content": "text"}}')


def _require_turns(prompt: tuple[Message, ...], where: str) -> None:
    if not prompt:
        raise UsageError(f"{where} holds an answer and no prompt")
