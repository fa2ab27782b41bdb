"""Text of others on its way to a terminal."""

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls: ESC begins a command to the terminal
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"  # marks that turn text around
)


def printable(text: str) -> str:
    """The text with what could move the cursor or turn the reading order written out.

    Line feeds and tabs stay.
    """
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """The text in one printable line."""
    return printable(" ".join(text.split()))
