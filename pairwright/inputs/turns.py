"""The turns of a conversation as rows of their own: an answer, and all that was said before it."""

from collections.abc import Iterator
from typing import TypeVar

from pairwright.errors import UsageError
from pairwright.records import Message

Prompt = tuple[Message, ...]
Answer = TypeVar("Answer")
"""What ends a conversation: one answer, or several."""


def each_turn(
    where: str, prompt: Prompt, answer: Answer | None, wanted: str | None, *, asked: bool
) -> Iterator[tuple[str, Prompt, str | Answer | None]]:
    """Yield the assistant's turns that are wanted: `all`, or the number of one (1 the first, -1 the last).

    Each is its place, its prompt, and its answer: the text of a turn that others follow, the given answer
    for the last one, or None where it is still to be sampled. A turn that calls a tool, or that follows no
    question, is part of what comes after it. The end of a conversation is a turn where it is answered,
    where answers are `asked` for, and where no other turn is. Raises `UsageError` for a number that a
    conversation does not have.
    """
    if wanted is None:
        yield where, prompt, answer
        return
    found = [
        (prompt[:place], message.content)
        for place, message in enumerate(prompt)
        if message.role == "assistant" and not message.tool_calls and _asks(prompt[:place])
    ]
    turns: list[tuple[Prompt, str | Answer | None]] = [*found]
    if answer is not None or asked or not found:
        turns.append((prompt, None if asked else answer))
    if wanted == "all":
        chosen = range(len(turns))
    else:
        number = int(wanted)
        place = number - 1 if number > 0 else len(turns) + number
        if not 0 <= place < len(turns):
            many = "one turn" if len(turns) == 1 else f"{len(turns)} turns"
            raise UsageError(f"{where}: the conversation has {many} of the assistant, and no turn {number}")
        chosen = range(place, place + 1)
    for place in chosen:
        said, given = turns[place]
        yield f"{where} turn {place + 1}", said, None if asked else given


def _asks(prompt: tuple[Message, ...]) -> bool:
    """Whether messages are a prompt: the user, or a tool, has the last word."""
    return bool(prompt) and prompt[-1].role in ("user", "tool")
