"""Mirrors: a pair's two answers, swapped, under a prompt that does not ask for what was mended.

A pair whose chosen answer has a form, and whose rejected one does not, teaches the form. Its mirror teaches
when to use it: under a prompt that asks for it, and not under one that does not. Each of a row's other
prompts (without any request, with another one) makes a mirror.
"""

import logging
from typing import Any

from pairwright.errors import UsageError
from pairwright.inputs.beside import with_beside
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.pairs.minimality import measure
from pairwright.records import Message, conversation, prompt_hash, stored

log = logging.getLogger(__name__)

_SWAPPED = ("", "_model", "_template")


def mirrors_of(columns: str) -> tuple["Mirror", ...]:
    """Return the mirrors of comma-separated columns. Raises `UsageError` if one is repeated or empty."""
    names = [name.strip() for name in columns.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise UsageError(f"--mirror {columns}: write different column names, separated by commas")
    return tuple(map(Mirror, names))


class Mirror:
    """Makes the second pair of a row that carries its other prompt."""

    def __init__(self, column: str) -> None:
        self._column = column

    def check(self, rows: Input) -> None:
        """Raise `UsageError` when the column is not there, or holds something that is no prompt."""
        there = rows.columns
        if self._column not in there:
            names = ", ".join(f"`{name}`" for name in there) or "none"
            raise UsageError(f"{rows.info.path}: no column `{self._column}` (--mirror); there are {names}")
        empty = same = others = 0
        for row in rows:
            if row.problem is not None:
                continue
            found = self._written(row)
            empty += found is None
            same += found is not None and _said(found) == _said(row.prompt)
            others += found is not None and _said(found) != _said(row.prompt)
        if not others:
            what = "the prompt itself, or empty," if same else "empty"
            raise UsageError(f"{rows.info.path}: `{self._column}` (--mirror) is {what} in every row")
        if empty or same:
            log.warning(
                "--mirror %s: %d of %d rows have no mirror: it is empty in %d, and their own prompt in %d",
                self._column, empty + same, empty + same + others, empty, same,
            )  # fmt: skip

    def prompt(self, row: Row) -> tuple[Message, ...] | None:
        """Return a row's other prompt, or None where it has none, or its own again.

        A text takes the place of the last message; a list of messages that of the whole prompt. Under one
        prompt, a pair and its mirror would contradict each other.
        """
        found = self._written(row)
        return None if found is None or _said(found) == _said(row.prompt) else found

    def _written(self, row: Row) -> tuple[Message, ...] | None:
        value = row.columns.get(self._column)
        if not value or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, str):
            return (*row.prompt[:-1], Message(role="user", content=value, beside=row.prompt[-1].beside))
        try:
            return with_beside(conversation(value), row.prompt[0].beside)
        except (TypeError, KeyError, ValueError):
            raise UsageError(
                f"row {row.row_id}: `{self._column}` (--mirror) is neither text nor a list of messages"
            ) from None

    def pair(self, row: Row, columns: dict[str, Any]) -> dict[str, Any] | None:
        """Return the second pair of a row from the columns of the first; None without another prompt."""
        prompt = self.prompt(row)
        return None if prompt is None else mirrored(prompt, columns, f"{columns['source']}_mirrored")


def _said(prompt: tuple[Message, ...]) -> list[tuple[str, str]]:
    """Who says what, without white space at either end."""
    return [(message.role, message.content.strip()) for message in prompt]


def mirrored(prompt: tuple[Message, ...], columns: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the columns of a pair under another prompt, its sides swapped."""
    swapped: dict[str, Any] = {
        f"{to}{end}": columns.get(f"{side}{end}")
        for end in _SWAPPED
        for side, to in (("chosen", "rejected"), ("rejected", "chosen"))
    }
    chosen, rejected = (swapped[side][0]["content"] for side in ("chosen", "rejected"))
    return {
        "prompt_id": prompt_hash(prompt),
        "prompt": stored(prompt),
        **swapped,
        **measure(chosen, rejected, original=rejected)._asdict(),
        "source": source,
        "rationale": columns.get("rationale"),
        "attempts": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
    }
