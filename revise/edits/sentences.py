"""Sentences of an answer as character spans, so that a reviser can name one by its number.

A small splitter on purpose: what matters is not that every border is a linguist's, but that nothing is
lost, that code stays whole, and that a list item or a heading is a unit of its own.
"""

import re
from collections.abc import Iterator

_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(?:.*?^[ \t]*\1[ \t]*$|.*)", re.MULTILINE | re.DOTALL)
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_OPENS_LINE = re.compile(r"[ \t]*(?:[-*+•>|#]|\(?\w{1,3}[.)][ \t])")
_END = re.compile(r"(?:[.!?…؟۔।॥။។።]+[\"'”’)\]*_]*(?=\s))|(?:[。！？｡]+[」』”’）｣]*)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|cf|etc|fig|figs|no|nos|vol|pp|inc|ltd|co|corp|dept|approx|est"
    r"|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|e\.g|i\.e|a\.m|p\.m|ph\.d|u\.s|u\.k)"
    r"|\b[A-Z]|^[ \t]*\(?\d{1,3})\.$",
    re.IGNORECASE | re.MULTILINE,
)
_LOOKS_BACK = 24
LABEL = "[S{}] "


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the spans of a text's sentences, in order; only white space stands before, between and after.

    A fenced code block is one sentence, and so is each list item, heading and table row without an
    end of a sentence in it.
    """
    found = []
    for start, end in _pieces(text):
        inner = text[start:end]
        begin = start + len(inner) - len(inner.lstrip())
        if inner.strip():
            found.append((begin, start + len(inner.rstrip())))
    return found


def numbered(text: str) -> str:
    """Return the text with `[S1] `, `[S2] ` … before its sentences, and otherwise as it is."""
    parts, done = [], 0
    for number, (start, _) in enumerate(sentences(text), start=1):
        parts += [text[done:start], LABEL.format(number)]
        done = start
    return "".join([*parts, text[done:]])


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """The text cut at every border: spans that touch, and cover all of it."""
    done = 0
    for block in _FENCED.finditer(text):
        yield from _prose(text, done, block.start())
        yield block.span()
        done = block.end()
    yield from _prose(text, done, len(text))


def _prose(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    borders = {m.end() for m in _LINE_BREAK.finditer(text, start, end) if _breaks(text, m, start, end)}
    for mark in _END.finditer(text, start, end):
        if _ends(text, mark, end):
            borders.add(mark.end())
    done = start
    for border in [*sorted(borders), end]:
        if border > done:
            yield done, border
            done = border


def _breaks(text: str, found: re.Match[str], start: int, end: int) -> bool:
    """Whether a line break ends a sentence: not where a line merely was full."""
    following = text[found.end() : found.end() + _LOOKS_BACK]
    if not following[:1].islower() or found.end() >= end or found.start() <= start:
        return True
    return text[found.start() - 1] in ".!?:;" or bool(_OPENS_LINE.match(following))


def _ends(text: str, mark: re.Match[str], end: int) -> bool:
    """Whether a full stop is the end of a sentence."""
    if mark.group()[0] in "。！？｡":
        return True
    following = text[mark.end() : mark.end() + _LOOKS_BACK].lstrip()
    if mark.end() >= end or not following or following[0].islower():
        return False
    stop = mark.start() + 1
    if mark.group()[0] != "." or text[stop : stop + 1] == ".":
        return True
    line = max(text.rfind("\n", 0, stop) + 1, stop - _LOOKS_BACK)
    return not _ABBREVIATION.search(text[line:stop])
