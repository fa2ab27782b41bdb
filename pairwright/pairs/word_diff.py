"""A pair as one text: a word diff of rejected and chosen."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from rich.text import Text

from pairwright.pairs.minimality import changed_spans

_STYLES = {"same": "", "old": "red strike", "new": "bold green"}
_MARKERS = {"same": "{}", "old": "[-{}-]", "new": "{{+{}+}}"}


class Piece(NamedTuple):
    """A stretch of a pair's text."""

    kind: Literal["same", "old", "new"]
    """In both answers, in the rejected one only, in the chosen one only."""
    text: str


def pieces(rejected: str, chosen: str) -> Iterator[Piece]:
    """Yield the chosen answer piece by piece; a change is the old text, then the new one."""
    end = 0
    for span in changed_spans(chosen, rejected):
        found = (
            Piece("same", chosen[end : span.chosen_start]),
            Piece("old", rejected[span.rejected_start : span.rejected_end]),
            Piece("new", chosen[span.chosen_start : span.chosen_end]),
        )
        yield from (piece for piece in found if piece.text)
        end = span.chosen_end
    if end < len(chosen):
        yield Piece("same", chosen[end:])


def word_diff(rejected: str, chosen: str, *, markers: bool = False) -> Text:
    """Return the chosen answer with every change marked where it stands.

    Colours are for terminals; `markers` writes `[-old-]{+new+}`, as `git diff --word-diff` does.
    """
    diff = Text()
    for kind, text in pieces(rejected, chosen):
        diff.append(_MARKERS[kind].format(text) if markers else text, "" if markers else _STYLES[kind])
    return diff
