"""Find what a text says of itself: that it is a revision, that it declines, that a model speaks.

The words are in `phrases.toml`, by language; its head says how they are read.
"""

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

_HEAD = 400
"""Characters in which a refusal is one."""
_WORD = re.compile(r"\w")
_FILE = Path(__file__).with_name("phrases.toml")
_BEGINS = r"(?:\A|[.!?…。！？।॥۔:\n]\s*|[,،，、]\s)[\"'“”‘’«»「『(*_]*"
_WITHIN = r"[^.!?…。！？।॥۔\n]{0,60}?"
_NO_LETTER = "(?<![A-Za-zÀ-ɏЀ-ӿ])"
_TO_THE_END = r"[^.。।۔\n]*"


class Phrases(NamedTuple):
    """The phrases of one language."""

    stems: tuple[str, ...]
    meta: re.Pattern[str]
    names: tuple[str, ...]
    model: re.Pattern[str]
    refusal: re.Pattern[str]


def speaks_of_itself(text: str) -> str | None:
    """Return the words by which a text speaks of being a revision; None where there are none."""
    return _first(text, [(p.stems, p.meta) for p in _languages().values()])


def speaks_as_model(text: str) -> str | None:
    """Return the words by which a text's speaker introduces itself as a model."""
    return _first(text, [(p.names, p.model) for p in _languages().values()])


def declines(text: str) -> str | None:
    """Return the first words of a text that declines to answer."""
    start = _WORD.search(text)
    if start is None:
        return None
    head = unicodedata.normalize("NFC", text[start.start() : start.start() + _HEAD])
    found = (phrases.refusal.match(head) for phrases in _languages().values())
    return next((match.group() for match in found if match), None)


def _first(text: str, patterns: list[tuple[tuple[str, ...], re.Pattern[str]]]) -> str | None:
    text = unicodedata.normalize("NFC", text)
    small = f" {text.casefold()} "
    for stems, pattern in patterns:
        for stem in stems:  # no `any`: a generator here takes twice as long, and every row comes by
            if stem in small:
                if found := pattern.search(text):
                    return found[1]
                break
    return None


@cache
def _languages() -> dict[str, Phrases]:
    """The phrases by language, compiled when they are first wanted."""
    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {language: _compiled(entry) for language, entry in table.items()}


def _compiled(entry: dict[str, list[str]]) -> Phrases:
    opening, says_no = "|".join(entry["opening"]), "|".join(entry["declines"])
    return Phrases(
        stems=tuple(stem.casefold() for stem in entry["stems"]),
        names=tuple(name.casefold() for name in entry["names"]),
        meta=_pattern(f"({'|'.join(entry['meta'])})"),
        refusal=_pattern(
            rf"(?:(?:{opening})(?!\w*[-'’]\w)\W{{0,3}}{_WITHIN})?{_NO_LETTER}(?:{says_no}){_TO_THE_END}"
        ),
        model=_pattern(rf"{_BEGINS}({'|'.join(entry['model'])})"),
    )


def _pattern(regex: str) -> re.Pattern[str]:
    return re.compile(regex, re.IGNORECASE | re.MULTILINE)
