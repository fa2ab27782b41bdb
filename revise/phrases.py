"""Find what a text says of itself: that it is a revision, that it declines, that a model speaks.

Whole phrases are in `phrases.toml`, by language, and in `phrase_parts.toml` words that phrases are put
together from; their heads say how they are read.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache, reduce
from operator import or_
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

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

Stems = Literal["stems", "names", "inabilities", "changes"]
_KINDS: tuple[Stems, ...] = get_args(Stems)


class Phrases(NamedTuple):
    """The phrases of one language."""

    stems: tuple[str, ...]
    meta: re.Pattern[str]
    names: tuple[str, ...]
    model: re.Pattern[str]
    refusal: re.Pattern[str]
    inabilities: tuple[str, ...]
    inability: re.Pattern[str]
    changes: tuple[str, ...]
    remark: re.Pattern[str]


def speaks_of_itself(text: str) -> str | None:
    """Return the words by which a text mentions being a revision, or None."""
    return _first(text, "stems", "meta") or _remark(text)


def speaks_as_model(text: str) -> str | None:
    """Return the words by which a text's speaker introduces itself as a model."""
    return _first(text, "names", "model")


def declines(text: str, *, unable: bool = True) -> str | None:
    """Return the first words of a text that declines to answer; None for any other.

    Words for inability are not looked for where it is known that there are none (`may_be_unable`).
    """
    head = _head(text)
    found = _refusals().match(head) if head else None
    for phrases in _likely("inabilities", head) if head and unable and not found else ():
        found = found or phrases.inability.match(head)
    return found.group() if found else None


def may_speak(texts: Sequence[str]) -> list[bool]:
    """Return which texts hold a stem without which neither of the first two functions finds anything."""
    return _hold(texts, "stems", "names", "changes")


def may_be_unable(texts: Sequence[str]) -> list[bool]:
    """Return which texts hold a stem without which no words for inability are found."""
    return _hold(map(_head, texts), "inabilities")


def _hold(texts: Iterable[str], *kinds: Stems) -> list[bool]:
    """Which texts hold a stem of some kinds, in whatever language."""
    import polars as pl

    stems = {stem for phrases in _languages().values() for kind in kinds for stem in getattr(phrases, kind)}
    small = pl.Series([_small(text) for text in texts], dtype=pl.String)
    return small.str.contains_any(sorted(stems)).to_list()


def _head(text: str) -> str:
    """Where a refusal is one: the beginning of a text, from its first letter on."""
    start = _WORD.search(text)
    if start is None:
        return ""
    return unicodedata.normalize("NFC", text[start.start() : start.start() + _HEAD])


def _first(text: str, stems: Stems, pattern: Literal["meta", "model"]) -> str | None:
    """What the pattern of the first language finds that has one of its stems in the text."""
    for phrases in _likely(stems, text):
        found: re.Match[str] | None = getattr(phrases, pattern).search(unicodedata.normalize("NFC", text))
        if found:
            return found[1]
    return None


def _remark(text: str) -> str | None:
    """What is found that phrases are put together for, in the lines that have one of the stems."""
    for phrases in _likely("changes", text):
        for line in unicodedata.normalize("NFC", text).split("\n"):
            small = f" {line.casefold()} "
            if any(stem in small for stem in phrases.changes) and (found := phrases.remark.search(line)):
                return found.group()
    return None


def _likely(stems: Stems, text: str) -> Iterator[Phrases]:
    """The languages that have one of their stems in the text."""
    likely = reduce(or_, map(_hints()[stems], text.split()), 0)
    small = _small(text) if likely else ""
    for number, phrases in enumerate(_languages().values()) if likely else ():
        if likely >> number & 1 and any(stem in small for stem in getattr(phrases, stems)):
            yield phrases


@cache
def _hints() -> dict[str, Callable[[str], int]]:
    """For each kind of stems: in which languages a run of letters may hold one, as the bits of a number.

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
            small = _small(run)
            return reduce(or_, (bit for word, bit in words if word in small), 0)

        return hint

    return {kind: of(kind) for kind in _KINDS}


def _longest_word(stem: str) -> str:
    """The longest word of a stem, with a space where the stem has one beside it."""
    words = stem.split(" ")
    last = len(words) - 1
    spaced = [" " * (n > 0) + word + " " * (n < last) for n, word in enumerate(words)]
    return max(spaced, key=lambda word: len(word.strip()))


def _small(text: str) -> str:
    """A text as stems are looked for in it."""
    return f" {unicodedata.normalize('NFC', text).casefold()} "


@cache
def _refusals() -> re.Pattern[str]:
    """The refusals of all languages, the first language's first."""
    return re.compile("|".join(f"(?:{p.refusal.pattern})" for p in _languages().values()), _FLAGS)


@cache
def _languages() -> dict[str, Phrases]:
    """The phrases by language, compiled when they are first wanted."""
    table, parts = (tomllib.loads(file.read_text(encoding="utf-8")) for file in (_FILE, _PARTS))
    return {language: _compiled(entry, parts.get(language)) for language, entry in table.items()}


def _compiled(entry: dict[str, Any], parts: dict[str, list[str]] | None) -> Phrases:
    opening, says_no = "|".join(entry["opening"]), "|".join(entry["declines"])
    either = rf"(?:(?:{opening})(?!\w*[-'’]\w)\W{{0,3}}{_WITHIN})?{_NO_LETTER}(?:{says_no})"
    if "regrets" in entry:
        either += rf"|(?:{entry['regrets']})\W{{0,3}}{_WITHIN}{_NO_LETTER}(?:{entry['unable']})"
    stems, names, meta, model = (list(entry[kind]) for kind in ("stems", "names", "meta", "model"))
    inabilities, changes, inability, remarks = list[str](), list[str](), "(?!)", "(?!)"
    if parts is not None:
        inability = _refusal_of(parts)
        inabilities = [_rarest(text) for kind in ("cannot", "norms", "beyond") for text in parts[kind]]
        remarks = "|".join(_remarks_of(parts))
        changes = [
            _rarest(text) for kind in ("revised", "changes", "changed", "mine") for text in parts[kind]
        ]
        model.append(rf"{_any(parts['model'])}{_SAME}{{0,30}}")
        names += map(_rarest, parts["model"])
    return Phrases(
        stems=tuple(stem.casefold() for stem in stems),
        names=tuple(name.casefold() for name in names),
        meta=_pattern(f"({'|'.join(meta)})"),
        refusal=_pattern(rf"(?:{either}){_TO_THE_END}"),
        inabilities=tuple(text.casefold() for text in inabilities),
        inability=_pattern(f"{inability}{_TO_THE_END}"),
        changes=tuple(text.casefold() for text in changes),
        remark=_pattern(remarks),
        model=_pattern(rf"{_BEGINS}({'|'.join(model)})"),
    )


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


def _rarest(text: str) -> str:
    """The longest word of a text: what stands in all that the text finds."""
    return max(re.split(r"[ …]", text), key=len)


def _pattern(regex: str) -> re.Pattern[str]:
    return re.compile(regex, _FLAGS)
