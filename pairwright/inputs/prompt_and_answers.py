"""One row's content: the whole prompt that a model is shown, and the answers to it.

`prompt` is text or messages; an answer is text, one assistant message, or the whole conversation with
the prompt repeated in it. Where the prompt ends is never guessed from what two answers share:
minimal revisions share their openings, and every loss but `dpo` would change.
"""

from collections.abc import Mapping
from typing import Any

from pairwright.errors import UsageError
from pairwright.inputs.beside import beside_of, with_beside
from pairwright.inputs.columns import Columns
from pairwright.inputs.messages import kind_of, messages_of
from pairwright.inputs.transcripts import turns_of
from pairwright.records import Message

Prompt = tuple[Message, ...]


def parse_row(record: Mapping[str, Any], columns: Columns, where: str) -> tuple[Prompt, str | None]:
    """Return prompt messages and answer text of a row; no answer is None.

    Where no column of answers is read, a conversation that ends with the assistant holds its own.
    Raises `UsageError` that begins with `where` and names the field.
    """
    names = (columns.answer,) if columns.answer else ()
    prompt, said = _read(record, columns, names, where)
    if not names and prompt[-1].role == "assistant":
        _refuse_calls(prompt[-1], columns, f"{where}: `{columns.prompt}`")
        answer = _said(prompt[-1].content)
        return checked(prompt[:-1], columns, where), answer
    return checked(prompt, columns, where), said.get(columns.answer or "")


def parse_conversation(
    record: Mapping[str, Any], columns: Columns, where: str
) -> tuple[Prompt, Message | None]:
    """Return the prompt and the assistant's message that ends it, if any. Raises as `parse_row` does."""
    messages, _ = _read(record, columns, (), where)
    last = messages[-1] if messages and messages[-1].role == "assistant" else None
    return checked(messages[:-1] if last else messages, columns, where), last


def parse_answers(
    record: Mapping[str, Any], columns: Columns, names: tuple[str, ...], where: str
) -> tuple[Prompt, dict[str, str | None]]:
    """Return prompt messages and the text of every answer in some columns. Raises as `parse_row` does."""
    prompt, said = _read(record, columns, names, where)
    return checked(prompt, columns, where), said


def checked(prompt: Prompt, columns: Columns, where: str) -> Prompt:
    """Return the prompt. Raises `UsageError` for one that no model can answer."""
    name = columns.prompt or (columns.within or ("prompt",))[0]
    if not prompt:
        raise UsageError(f"{where}: `{name}` holds an answer and no prompt")
    if prompt[-1].role == "assistant":
        raise UsageError(f"{where}: `{name}` ends with an assistant message; end it with the user's")
    if not any(_said(m.content) for m in prompt):
        raise UsageError(f"{where}: `{name}` is empty; fill it or remove the row")
    spoken = (m for m in prompt if m.role in ("assistant", "user") and not m.tool_calls)
    blank = next((m.role for m in spoken if not _said(m.content)), None)
    if blank:
        who = "the assistant" if blank == "assistant" else "the user"
        raise UsageError(f"{where}: `{name}` has an empty turn of {who}; fill it or remove the row")
    return prompt


def _read(
    record: Mapping[str, Any], columns: Columns, names: tuple[str, ...], where: str
) -> tuple[Prompt, dict[str, str | None]]:
    for name in columns.unshown:
        if record.get(name):
            flag = "" if columns.carry_only is None else f", or keep it apart with --carry_only {name}"
            raise UsageError(
                f"{where}: `{name}` would be part of the prompt, and models are not shown it here; write "
                f"it into the messages, remove the column{flag}"
            )
    own = _own(record, columns, where)
    found = {
        n: _conversation(record.get(n), n, where, columns) for n in dict.fromkeys((*names, *columns.within))
    }
    prompt = _prompt(own, {n: m for n, m in found.items() if m}, where)
    said = {n: _said(found[n][-1].content) if found[n] else None for n in names}
    beside = beside_of(record, dict(columns.shown), where, padded=columns.padded)
    return with_beside(_with_turns(prompt, record, columns, where), beside), said


def _own(record: Mapping[str, Any], columns: Columns, where: str) -> Prompt:
    """What the prompt's own column says; nothing where it has none."""
    if columns.prompt is None:
        return ()
    value = record.get(columns.prompt)
    for name in columns.added:
        more = record.get(name)
        if isinstance(value, str) and isinstance(more, str) and _said(value) and _said(more):
            value = f"{value}\n\n{more}"
        elif more is not None and not isinstance(more, str):
            beside = f"beside `{columns.prompt}` it must be text"
            raise UsageError(f"{where}: `{name}` is {kind_of(more)}; {beside}")
    where = f"{where}: `{columns.prompt}`"
    return messages_of(value, where, "user", thoughts=columns.thoughts, padded=columns.padded)


def _conversation(value: Any, name: str, where: str, columns: Columns) -> Prompt:
    """An answer, alone or at the end of its conversation; nothing for none."""
    if value is None or value == [] or (isinstance(value, str) and not _said(value)):
        return ()
    where = f"{where}: `{name}`"
    messages = messages_of(value, where, "assistant", thoughts=columns.thoughts, padded=columns.padded)
    if messages[-1].role != "assistant":
        raise UsageError(f"{where} is a message of {messages[-1].role!r}; an answer is of 'assistant'")
    _refuse_calls(messages[-1], columns, where)
    return messages


def _refuse_calls(answer: Message, columns: Columns, where: str) -> None:
    if answer.tool_calls and not columns.calls:
        raise UsageError(
            f"{where} is an answer that calls a tool (`{answer.tool_calls[0].function.name}`), and only "
            "texts are compared or revised here; remove the row, or let it be trained on as it is"
        )


def _prompt(own: Prompt, answers: Mapping[str, Prompt], where: str) -> Prompt:
    """The prompt that all answers are to: its own column's, or what their conversations say before them.

    Of an answer of several messages the last is the answer, and those before it belong to the prompt.
    """
    if own:
        several = {n for n, m in answers.items() if len(m) > 1 and m[0].role == "assistant"}
        answers = {n: (*own, *m) if n in several else m for n, m in answers.items()}
    for name, messages in answers.items():
        if len(messages) > 1 and messages[: len(own)] != own:
            raise UsageError(
                f"{where}: `{name}` is {len(messages)} messages that do not begin with the prompt; "
                "give the answer alone, or after exactly the same messages"
            )
        if len(messages) == 1 and not own:
            raise UsageError(
                f"{where}: no `prompt`; it is not guessed from what the answers share, and `{name}` is no "
                "whole conversation"
            )
    before = [messages[:-1] if len(messages) > 1 else own for messages in answers.values()]
    if any(messages != before[0] for messages in before):
        names = " and ".join(f"`{name}`" for name in answers)
        raise UsageError(
            f"{where}: {names} are conversations that differ before their last message; give answers to "
            "the same messages"
        )
    return next(iter(before), own)


def _with_turns(prompt: Prompt, record: Mapping[str, Any], columns: Columns, where: str) -> Prompt:
    """The prompt with the turns before it and the system message, where these have columns of their own."""
    if columns.history and (history := _history(record.get(columns.history), columns.history, where)):
        if len([m for m in prompt if m.role not in ("system", "developer")]) > 1:
            raise UsageError(
                f"{where}: `{columns.history}` holds turns, and `{columns.prompt}` is a conversation "
                "already; give one of them"
            )
        first = prompt[:-1]
        prompt = (*first, *history, *prompt[len(first) :])
    system = record.get(columns.system) if columns.system else None
    if system is None or (isinstance(system, str) and not _said(system)):
        return prompt
    if not isinstance(system, str):
        raise UsageError(f"{where}: `{columns.system}` is {kind_of(system)}; a system message is text")
    if prompt and prompt[0].role in ("system", "developer"):
        if prompt[0].content == system:
            return prompt
        raise UsageError(
            f"{where}: `{columns.system}` and the prompt have different system messages; keep one of them"
        )
    return (Message(role="system", content=system), *prompt)


def _history(value: Any, name: str, where: str) -> Prompt:
    """Turns before a prompt: messages, or pairs of what was asked and answered."""
    if value is None or value == [] or value == "":
        return ()
    pairs = value if isinstance(value, list) else None
    if pairs and all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        if not all(isinstance(text, str) and _said(text) for pair in pairs for text in pair):
            raise UsageError(f"{where}: `{name}` has a turn that is no text; fill it or remove the row")
        roles = ("user", "assistant")
        return tuple(
            Message(role=role, content=text)
            for pair in pairs
            for role, text in zip(roles, pair, strict=True)
        )
    if isinstance(value, str) and turns_of(value, f"{where}: `{name}`") is None:
        raise UsageError(f"{where}: `{name}` is text; turns are messages, or pairs of question and answer")
    return messages_of(value, f"{where}: `{name}`", "user")


def _said(text: str) -> str | None:
    """The text as it is; None when it is blank."""
    return text if text.strip() else None
