"""How a chat template marks the assistant's thoughts, and where it ends the turn."""

import re
from itertools import takewhile

from pairwright.models.controls import SECRET_NAME

_BREAKS = "\n\n"
_CLOSING = re.compile(r"([<\[◁])/([\w:]*think\w*|thoughts?|reasoning)([>\]▷])((?:\\n)*)", re.IGNORECASE)
"""A mark in a template that ends a thought, and the line breaks that the template writes after it."""


def marks_of(template: str) -> tuple[str, str] | None:
    """Return what begins a thought in a template, and what ends it with its line breaks; None for none."""
    found = list(_CLOSING.finditer(template))
    if not found:
        return None
    begin, name, end = found[0].group(1, 2, 3)
    breaks = max(found, key=lambda match: len(match[4]))[4].replace("\\n", "\n")
    return f"{begin}{name}{end}", f"{begin}/{name}{end}{breaks or _BREAKS}"


def closing_of(after: str, followed: str) -> str:
    """Return what ends a turn, up to its last control token; empty where the template writes none.

    `after` is what stands after the last answer of a conversation, `followed` what stands after an answer
    that another turn follows: what ends a turn is in both.
    """
    pairs = zip(after, followed, strict=False)
    both = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    found = [*SECRET_NAME.finditer(both)] or [*SECRET_NAME.finditer(after)][:1]
    return after[: found[-1].end()] if found else ""


def cut(turn: str, after: str, closing: str) -> str:
    """Return a turn up to and including what ends it, which is `closing` and part of `after` for most.

    A turn that calls tools may end otherwise, and in another control token, such as gpt-oss's `<|call|>`.
    """
    said = turn.removesuffix(after)
    if said != turn or not closing:
        return said + closing
    end: str = SECRET_NAME.findall(closing)[-1]
    head, found, tail = turn.rpartition(end)
    if found and not SECRET_NAME.sub("", tail).strip():
        return head + end
    return turn.rstrip() if ends_in_control(turn) else turn + closing


def ends_in_control(turn: str) -> bool:
    """Return whether the last of a turn, but for white space, is a control token."""
    names = SECRET_NAME.findall(turn)
    return bool(names) and turn.rstrip().endswith(names[-1])
