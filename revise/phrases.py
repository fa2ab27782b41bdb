"""Find what a text says of itself: that it is a revision, that it declines, that a model speaks.

Whole phrases are in `phrases.toml`, by language, and in `phrase_parts.toml` words that phrases are put
together from; their heads say how they are read.
"""

import json
import re
import tomllib
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from pairwright.errors import PairwrightError
from pairwright.folders.cache import cache_folder
from pairwright.folders.durable import write_durably
from pairwright.records import content_hash
from revise import needed
from revise.needed import Needed, Way, ways_of

_HEAD = 400
"""Characters in which a refusal is one."""
_WORD = re.compile(r"\w")
_FILE = Path(__file__).with_name("phrases.toml")
_PARTS = Path(__file__).with_name("phrase_parts.toml")
_BEGINS = r"(?:\A|[.!?…。！？।॥۔:\n]\s*|[,،，、]\s)[\"'“”‘’«»「『(*_]*"
_WITHIN = r"[^.!?…。！？।॥۔\n]{0,60}?"
_NO_LETTER = "(?<![A-Za-zÀ-ɏЀ-ӿ])"
_TO_THE_END = r"[^.。।۔\n]*"
_SAME = r"[^.!?…。！？।॥۔\n]"
_UNQUOTED = r"[^.!?…。！？।॥۔\n:：\"“”«»「『]"
_SENTENCE = r"(?:\A|[.!?…。！？।॥۔:\n]\s*)"
_LINE = r"^[^\n]{0,70}?"
_FLAGS = re.IGNORECASE | re.MULTILINE

Kind = Literal["meta", "model", "refusal", "inability", "remark"]


def speaks_of_itself(text: str) -> str | None:
    """Return the words by which a text mentions being a revision, or None."""
    return _first("meta", text) or _remark(text)


def speaks_as_model(text: str) -> str | None:
    """Return the words by which a text's speaker introduces itself as a model."""
    return _first("model", text)


def declines(text: str) -> str | None:
    """Return the first words of a text that declines to answer; None for any other."""
    start = _WORD.search(text)
    if start is None:
        return None
    head = unicodedata.normalize("NFC", text[start.start() : start.start() + _HEAD])
    for pattern in (*_likely("refusal", head), *_likely("inability", head)):
        if found := pattern.match(head):
            return found.group()
    return None


def about_texts(line: str) -> bool:
    """Return whether a line has a word for a text, or for what was changed in one."""
    return _has_any("texts revised parts changes rest", line)


def about_changes(line: str) -> bool:
    """Return whether a line says that the speaker changed something."""
    return _has_any("changed mine", line)


def about_the_rest(line: str) -> bool:
    """Return whether a line speaks of the rest of something."""
    return _has_any("rest", line)


def _has_any(kinds: str, line: str) -> bool:
    """Whether a line has any of the words of some kinds that remarks are put together from."""
    patterns, letters = _weak(kinds)
    return any(patterns[number].search(line) for number in letters.by(kinds, line))


@cache
def _weak(kinds: str) -> tuple[list[re.Pattern[str]], Needed]:
    """For each language, any of the words of some kinds, and what is needed by these patterns."""
    parts = tomllib.loads(_PARTS.read_text(encoding="utf-8"))
    listed = [_any([w for kind in kinds.split() for w in words[kind]]) for words in parts.values()]
    return [re.compile(one, _FLAGS) for one in listed], Needed(ways_of({kinds: listed}, _FLAGS))


def look_at(texts: Sequence[str]) -> None:
    """Look at many texts at once, of which it is then asked faster what they say."""
    _needed().look_at([unicodedata.normalize("NFC", text) for text in texts])


def _first(kind: Kind, text: str) -> str | None:
    """What the pattern of the first language finds that finds anything."""
    composed = unicodedata.normalize("NFC", text)
    for pattern in _likely(kind, composed):
        if found := pattern.search(composed):
            return found[1]
    return None


def _remark(text: str) -> str | None:
    """What is found by the pattern of the first language that finds something in a line."""
    composed = unicodedata.normalize("NFC", text)
    for pattern in _likely("remark", composed):
        for line in composed.split("\n"):
            if pattern in _likely("remark", line) and (found := pattern.search(line)):
                return found.group()
    return None


def _likely(kind: Kind, text: str) -> list[re.Pattern[str]]:
    """The patterns of a kind, by language, whose letters are in the text."""
    return [_compiled(kind, number) for number in _needed().by(kind, text)]


@cache
def _needed() -> Needed:
    """What the patterns need: to read it off them takes a second, so it is kept in the user's cache."""
    of = [_FILE, _PARTS, Path(__file__), Path(needed.__file__)]
    key = content_hash([file.read_text(encoding="utf-8") for file in of])
    with suppress(OSError, RuntimeError, ValueError):  # there is none yet, or no home to keep it in
        return Needed(_kept_ways(cache_folder() / "phrases" / f"{key}.json"))
    return Needed(ways_of(_patterns(), _FLAGS))


def _kept_ways(file: Path) -> list[Way]:
    """The ways to match the patterns as they are kept in a file, which is made where there is none."""
    if file.exists():
        kept = json.loads(file.read_bytes())
        return [Way(kind, number, list(map(frozenset, needs))) for kind, number, needs in kept]
    ways = ways_of(_patterns(), _FLAGS)
    told = [[way.kind, way.number, list(map(sorted, way.needs))] for way in ways]
    with suppress(PairwrightError):
        write_durably(file, json.dumps(told, ensure_ascii=False).encode())
    return ways


@cache
def _compiled(kind: Kind, number: int) -> re.Pattern[str]:
    return re.compile(_patterns()[kind][number], _FLAGS)


@cache
def _patterns() -> dict[str, list[str]]:
    """The patterns of each kind, one for each language that has some."""
    table, parts = (tomllib.loads(file.read_text(encoding="utf-8")) for file in (_FILE, _PARTS))
    patterns: dict[str, list[str]] = {kind: [] for kind in get_args(Kind)}
    for language, entry in table.items():
        words, model = parts.get(language), list(entry["model"])
        if words is not None:
            patterns["inability"].append(f"{_refusal_of(words)}{_TO_THE_END}")
            patterns["remark"].append("|".join(_remarks_of(words)))
            model.append(rf"{_any(words['model'])}{_SAME}{{0,30}}")
        patterns["meta"].append(f"({'|'.join(entry['meta'])})")
        patterns["model"].append(rf"{_BEGINS}({'|'.join(model)})")
        patterns["refusal"].append(_listed_refusal_of(entry))
    return patterns


def _listed_refusal_of(entry: dict[str, Any]) -> str:
    """A refusal of the listed kinds: one that an opening may come before, or regret and inability."""
    opening, says_no = "|".join(entry["opening"]), "|".join(entry["declines"])
    either = rf"(?:(?:{opening})(?!\w*[-'’]\w)\W{{0,3}}{_WITHIN})?{_NO_LETTER}(?:{says_no})"
    if "regrets" in entry:
        either += rf"|(?:{entry['regrets']})\W{{0,3}}{_WITHIN}{_NO_LETTER}(?:{entry['unable']})"
    return rf"(?:{either}){_TO_THE_END}"


def _remarks_of(parts: dict[str, list[str]]) -> list[str]:
    """Remarks about a revision: lines that announce one, lists of changes, and sentences about a change."""
    here, revised, texts = (_any(parts[kind]) for kind in ("here", "revised", "texts"))
    named = rf"(?:{revised}[^\n]{{0,40}}?{texts}|{texts}[^\n]{{0,40}}?{revised})"
    mine = _any(parts["mine"])
    left = _any(parts["parts"] + parts["rest"])
    return [
        rf"{_LINE}{named}[^\n:：]{{0,40}}[:：]",
        rf"{_LINE}(?:{here}[^\n]{{0,40}}?{named}|{named}[^\n]{{0,40}}?{here})[^\n]{{0,20}}$",
        rf"{_LINE}(?:{mine}[^\n]{{0,40}}?{texts}|{texts}[^\n]{{0,40}}?{mine})",
        rf"^[^\w\n]{{0,12}}{_any(parts['changes'])}[^\w\n]{{0,4}}[:：]",
        rf"{_SENTENCE}(?={_SAME}{{0,140}}?{left}){_SAME}{{0,100}}?{_any(parts['changed'])}{_SAME}{{0,40}}",
    ]


def _refusal_of(parts: dict[str, list[str]]) -> str:
    """A refusal: what cannot be done stands in the first sentence, or that rules are against it."""
    asked, cannot, norms, against = (_any(parts[kind]) for kind in ("asked", "cannot", "norms", "against"))
    return (
        rf"(?:(?={_UNQUOTED}{{0,140}}?{asked}){_UNQUOTED}{{0,120}}?{cannot}"
        rf"|(?={_UNQUOTED}{{0,140}}?{against}){_UNQUOTED}{{0,120}}?{norms}"
        rf"|{_UNQUOTED}{{0,80}}?{_any(parts['beyond'])})"
    )


def _any(texts: list[str]) -> str:
    """Any of the texts, with one more word where they have a space, and a sentence's words for `…`."""
    escaped = (re.escape(text).replace(r"\ ", r"\s(?:\S+\s)?") for text in texts)
    return f"{_NO_LETTER}(?:{'|'.join(escaped)})".replace("…", f"{_SAME}{{0,80}}?")
