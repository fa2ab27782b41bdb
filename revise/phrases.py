"""Find what a text says of itself: that it is a revision, that it declines, that a model speaks.

The words are in `phrases.toml`, by language; its head says how they are read.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache, reduce
from operator import or_
from pathlib import Path
from typing import Any, Literal, NamedTuple

_HEAD = 400
"""Characters in which a refusal is one."""
_WORD = re.compile(r"\w")
_FILE = Path(__file__).with_name("phrases.toml")
_BEGINS = r"(?:\A|[.!?…。！？।॥۔:\n]\s*|[,،，、]\s)[\"'“”‘’«»「『(*_]*"
_WITHIN = r"[^.!?…。！？।॥۔\n]{0,60}?"
_NO_LETTER = "(?<![A-Za-zÀ-ɏЀ-ӿ])"
_TO_THE_END = r"[^.。।۔\n]*"
_FLAGS = re.IGNORECASE | re.MULTILINE


class Phrases(NamedTuple):
    """The phrases of one language."""

    stems: tuple[str, ...]
    meta: re.Pattern[str]
    names: tuple[str, ...]
    model: re.Pattern[str]
    refusal: re.Pattern[str]


def speaks_of_itself(text: str) -> str | None:
    """Return the words by which a text speaks of being a revision; None where there are none."""
    return _first(text, "stems", "meta")


def speaks_as_model(text: str) -> str | None:
    """Return the words by which a text's speaker introduces itself as a model."""
    return _first(text, "names", "model")


def declines(text: str) -> str | None:
    """Return the first words of a text that declines to answer; None for any other."""
    start = _WORD.search(text)
    if start is None:
        return None
    head = unicodedata.normalize("NFC", text[start.start() : start.start() + _HEAD])
    found = _refusals().match(head)
    return found.group() if found else None


def _first(text: str, stems: Literal["stems", "names"], pattern: Literal["meta", "model"]) -> str | None:
    """What the pattern of the first language finds that has one of its stems in the text."""
    likely = reduce(or_, map(_hints()[stems], text.split()), 0)
    if not likely:
        return None
    text = unicodedata.normalize("NFC", text)
    small = f" {text.casefold()} "
    for number, phrases in enumerate(_languages().values()):
        if likely >> number & 1 and any(stem in small for stem in getattr(phrases, stems)):
            found: re.Match[str] | None = getattr(phrases, pattern).search(text)
            if found:
                return found[1]
    return None


@cache
def _hints() -> dict[str, Callable[[str], int]]:
    """For `stems` and `names`: in which languages a run of letters may hold one, as the bits of a number.

    Of a stem with spaces a run can hold the longest word, where the spaces say that it begins or ends
    there. Most runs have been met before, so nearly every text is seen to have none without a search.
    """

    def of(kind: str) -> Callable[[str], int]:
        words = {
            (_longest_word(stem), 1 << number)
            for number, phrases in enumerate(_languages().values())
            for stem in getattr(phrases, kind)
        }

        @lru_cache(maxsize=2**16)
        def hint(run: str) -> int:
            small = f" {unicodedata.normalize('NFC', run).casefold()} "
            return reduce(or_, (bit for word, bit in words if word in small), 0)

        return hint

    return {kind: of(kind) for kind in ("stems", "names")}


def _longest_word(stem: str) -> str:
    """The longest word of a stem, with a space where the stem has one beside it."""
    words = stem.split(" ")
    last = len(words) - 1
    spaced = [" " * (n > 0) + word + " " * (n < last) for n, word in enumerate(words)]
    return max(spaced, key=lambda word: len(word.strip()))


@cache
def _refusals() -> re.Pattern[str]:
    """The refusals of all languages, the first language's first."""
    return re.compile("|".join(f"(?:{p.refusal.pattern})" for p in _languages().values()), _FLAGS)


@cache
def _languages() -> dict[str, Phrases]:
    """The phrases by language, compiled when they are first wanted."""
    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {language: _compiled(entry) for language, entry in table.items()}


def _compiled(entry: dict[str, Any]) -> Phrases:
    opening, says_no = "|".join(entry["opening"]), "|".join(entry["declines"])
    either = rf"(?:(?:{opening})(?!\w*[-'’]\w)\W{{0,3}}{_WITHIN})?{_NO_LETTER}(?:{says_no})"
    if "regrets" in entry:
        either += rf"|(?:{entry['regrets']})\W{{0,3}}{_WITHIN}{_NO_LETTER}(?:{entry['unable']})"
    return Phrases(
        stems=tuple(stem.casefold() for stem in entry["stems"]),
        names=tuple(name.casefold() for name in entry["names"]),
        meta=_pattern(f"({'|'.join(entry['meta'])})"),
        refusal=_pattern(rf"(?:{either}){_TO_THE_END}"),
        model=_pattern(rf"{_BEGINS}({'|'.join(entry['model'])})"),
    )


def _pattern(regex: str) -> re.Pattern[str]:
    return re.compile(regex, _FLAGS)
