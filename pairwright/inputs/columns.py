"""Which columns hold the prompt and the answers, and what one row of them says."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from pairwright.records import ROLES, Message

PROMPTS = ("prompt", "instruction", "question", "messages")
ANSWERS = ("completion", "response", "output", "answer", "rejected")
_SIBLINGS = re.compile(r"(?:completion|response|output|answer)(?:_[a-z0-9]|[0-9])")
"""Columns of several answers to one prompt: `response_a`, `answer1` …"""

_SHOWN = 20


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


def find_columns(source: str, names: Sequence[str], wanted: Columns, *, answers: bool = True) -> Columns:
    """The columns to read. Raises `UsageError` naming those that are there."""
    if not names:
        raise UsageError(f"{source}: no rows in it; there is nothing to do")
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    there = ", ".join(f"`{n}`" for n in names[:_SHOWN]) + more
    flags = [(wanted.prompt, "--prompt_column"), (wanted.answer, "--answer_column")]
    for name, flag in (*flags, *((name, "--columns") for name in wanted.answers)):
        if name is not None and name not in names:
            raise UsageError(f"{source}: no column `{name}` ({flag}); its columns are {there}")
    prompt = wanted.prompt or next((n for n in PROMPTS if n in names and n != wanted.answer), None)
    if prompt is None:
        raise UsageError(
            f"{source}: no column of prompts ({', '.join(PROMPTS)}); its columns are {there}; "
            "name one with --prompt_column"
        )
    if prompt == wanted.answer or prompt in wanted.answers:
        flag = "--answer_column" if prompt == wanted.answer else "--columns"
        raise UsageError(f"{source}: `{prompt}` cannot be both --prompt_column and {flag}")
    if wanted.answers or not answers:
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

    Where no column of answers is read, a conversation that ends with the assistant holds its own.
    Raises `UsageError` that begins with `where` and names the field.
    """
    assert columns.prompt is not None
    prompt = _prompt(record, columns.prompt, where)
    if columns.answer is None and prompt[-1].role == "assistant":
        prompt, answer = prompt[:-1], _said(prompt[-1].content)
    else:
        answer = _answer(record, columns.answer, prompt, where)
    if not prompt:
        raise UsageError(f"{where}: `{columns.prompt}` holds an answer and no prompt")
    if prompt[-1].role == "assistant":
        raise UsageError(
            f"{where}: `{columns.prompt}` ends with an assistant message; end it with the user's"
        )
    if not any(_said(m.content) for m in prompt):
        raise UsageError(f"{where}: `{columns.prompt}` is empty; fill it or remove the row")
    return prompt, answer


def _prompt(record: Mapping[str, Any], column: str, where: str) -> tuple[Message, ...]:
    value = record.get(column)
    more = record.get("input") if column == "instruction" else None
    if isinstance(value, str) and isinstance(more, str) and _said(value) and _said(more):
        value = f"{value}\n\n{more}"
    elif more is not None and not isinstance(more, str):
        raise UsageError(f"{where}: `input` is {_kind(more)}; beside `instruction` it must be text")
    return _messages(value, f"{where}: `{column}`", "user")


def _answer(
    record: Mapping[str, Any], column: str | None, prompt: tuple[Message, ...], where: str
) -> str | None:
    value = None if column is None else record.get(column)
    if value is None or value == [] or (isinstance(value, str) and not _said(value)):
        return None
    where = f"{where}: `{column}`"
    messages = _messages(value, where, "assistant")
    if len(messages) > 1 and messages[:-1] == prompt:
        messages = messages[-1:]
    if len(messages) != 1:
        raise UsageError(
            f"{where} is {len(messages)} messages that do not begin with the prompt; "
            "give the answer alone, or after exactly the same messages"
        )
    if messages[0].role != "assistant":
        raise UsageError(f"{where} is a message of {messages[0].role!r}; an answer is of 'assistant'")
    return _said(messages[0].content)


def _messages(value: Any, where: str, role: str) -> tuple[Message, ...]:
    if value is None or value == [] or (isinstance(value, str) and not _said(value)):
        raise UsageError(f"{where} is empty; fill it or remove the row")
    if isinstance(value, str):
        return (Message(role=role, content=value),)
    if not isinstance(value, list):
        raise UsageError(f"{where} is {_kind(value)}; it must be text or a list of messages")
    return tuple(_message(m, where) for m in value)


def _message(value: Any, where: str) -> Message:
    if not (
        isinstance(value, dict)
        and isinstance(value.get("role"), str)
        and isinstance(value.get("content"), str)
    ):
        raise UsageError(f'{where} holds a message that is not {{"role": …, "content": "text"}}')
    if value["role"] not in ROLES:
        roles = ", ".join(sorted(ROLES))
        raise UsageError(f"{where} holds a message of {value['role']!r}; roles are {roles}")
    return Message(role=value["role"], content=value["content"])


def _said(text: str) -> str | None:
    """The text as it is; None when it is blank."""
    return text if text.strip() else None


def _kind(value: Any) -> str:
    return {dict: "an object", int: "a number", float: "a number", bool: "true or false"}.get(
        type(value), f"a {type(value).__name__}"
    )
