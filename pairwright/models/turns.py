"""Where an assistant's turn ends in what a chat template writes; control tokens in it are renamed."""

from itertools import takewhile

from pairwright.models.controls import SECRET_NAME


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
