"""Tell which of many patterns can match a text at all, by the letters that what they find must hold.

`\\bi\\s(?:revised|corrected)\\sthe` finds nothing in a text without "revised" or "corrected". What is
needed is read off the patterns themselves, as RE2 does it in `FilteredRE2`, so nobody lists it. A
look at a text is a look into a table for each of its runs of letters, most of which have been met before,
however many patterns there are.
"""

import re._parser as sre  # type: ignore[import-not-found]
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, reduce
from operator import or_
from re import _constants as of  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import numpy as np

from pairwright.pairs.runs import Runs, cut

Words = frozenset[str]
"""Of these a text holds one. A space is the border of a run of letters."""

_MOST = 64
"""More spellings than these are not written out."""
_AT_ONCE = 3
"""So many sets of words are looked for at most, the rarest, for each way to match."""


class Way(NamedTuple):
    """A way in which a pattern matches."""

    kind: str
    number: int
    """Which pattern of its kind it is of."""
    needs: list[Words]
    """Of each of these sets a text holds a word, or the pattern does not match it in this way."""


def ways_of(patterns: Mapping[str, Sequence[str]], flags: int) -> list[Way]:
    """Return all ways to match patterns, which are given by kind: one for each language, or the like."""
    return [
        Way(kind, number, needs)
        for kind, several in patterns.items()
        for number, pattern in enumerate(several)
        for needs in _ways(sre.parse(pattern, flags))
    ]


class Needed:
    """What is needed by patterns of several kinds, by all their ways to match."""

    def __init__(self, ways: Sequence[Way]) -> None:
        self._number = [way.number for way in ways]
        self._of_kind: dict[str, int] = defaultdict(int)
        bits: dict[Words, int] = {}
        self._also: list[int] = []
        self._always = 0
        self._words: dict[str, int] = {}
        for n, way in enumerate(ways):
            first, *others = sorted(way.needs, key=_commonness)[:_AT_ONCE] or [Words()]
            self._of_kind[way.kind] |= 1 << n
            self._always |= 0 if first else 1 << n
            self._add(first, 1 << n)
            also = [bits.setdefault(words, 1 << len(ways) + len(bits)) for words in others]
            self._also.append(reduce(or_, also, 0))
        for words, bit in bits.items():
            self._add(words, bit)
        self._lengths: dict[str, list[int]] = {}
        for start, length in sorted({(word[:2], len(word)) for word in self._words}):
            self._lengths.setdefault(start, []).append(length)
        self._runs = Runs(self._in_run)
        self._alone = lru_cache(maxsize=4)(self._in_text)
        self._of_texts: dict[str, int] = {}

    def look_at(self, texts: Sequence[str]) -> None:
        """Look at many texts at once, in Unicode's form NFC; `by` then knows what they hold."""
        runs_D, which_R, _, borders_T = cut(tuple(texts))
        held_D = list(map(self._runs.__getitem__, runs_D))
        places = np.flatnonzero(np.fromiter(map(bool, held_D), bool, len(held_D))[which_R])
        texts_of = np.searchsorted(borders_T, places, "right") - 1
        held_T = [self._always] * len(texts)
        for text, run in zip(texts_of.tolist(), which_R[places].tolist(), strict=True):
            held_T[text] |= held_D[run]
        self._of_texts = dict(zip(texts, held_T, strict=True))

    def by(self, kind: str, text: str) -> list[int]:
        """Return the numbers of the patterns of a kind that may match a text in Unicode's form NFC."""
        held = self._of_texts.get(text)
        held = self._alone(text) if held is None else held
        found: list[int] = []
        ways = held & self._of_kind[kind]
        while ways:
            way = (ways & -ways).bit_length() - 1
            ways &= ways - 1
            number, also = self._number[way], self._also[way]
            if held & also == also and number not in found[-1:]:
                found.append(number)
        return found

    def _add(self, words: Words, bit: int) -> None:
        for word in words:
            self._words[word] = self._words.get(word, 0) | bit

    def _in_text(self, text: str) -> int:
        return reduce(or_, filter(None, map(self._runs.__getitem__, text.split())), self._always)

    def _in_run(self, run: str) -> int:
        folded = f" {_folded(run)} "
        held = 0
        for start in range(len(folded) - 1):
            for length in self._lengths.get(folded[start : start + 2], ()):
                held |= self._words.get(folded[start : start + length], 0)
        return held


def _folded(text: str) -> str:
    """A text without regard to case, as patterns see it: to them, İ and ı are an i."""
    return text.replace("İ", "i").casefold().replace("ı", "i")


def _commonness(words: Words) -> float:
    """About how often one of the words is met by chance."""
    return sum(4.0 ** -len(word.strip().encode()) for word in words)


def _ways(tree: Any) -> list[list[Words]]:
    """For each way to match: what it needs, of each set a word."""
    items = list(tree)
    spread = [(len(found), n) for n, item in enumerate(items) if (found := _branches(item))]
    if not spread:
        return [_all(items)]
    _, n = max(spread)
    others = _all(items[:n]) + _all(items[n + 1 :])
    return [others + way for branch in _branches(items[n]) for way in _ways(branch)]


def _branches(item: Any) -> list[Any]:
    """The branches of a group, where they are worth looking at by themselves."""
    op, given = item
    if op is of.SUBPATTERN and len(given[3]) == 1:
        return _branches(given[3][0])
    return given[1] if op is of.BRANCH and _spelled(item) is None else []


def _all(items: Sequence[Any]) -> list[Words]:
    """What a sequence needs: a word of each of the sets."""
    needed: list[Words] = []
    spelled = {""}

    def flush() -> None:
        words = Words(map(_longest_word, spelled))
        if min(map(len, words)) > 1:
            needed.append(words)

    for item in _with_texts(items):
        found = _spelled(item)
        if found is not None and len(found) * len(spelled) <= _MOST:
            spelled = {a + b for a in spelled for b in found}
        elif item[0] is not of.ASSERT:
            flush()
            spelled = found or {""}
        needed += _inside(item) if found is None else []
        if found == {" "}:
            flush()
            spelled = {" "}
    flush()
    return needed


def _inside(item: Any) -> list[Words]:
    """What a part of a pattern needs that is not spelled out."""
    op, given = item
    if op is of.SUBPATTERN:
        return _all(given[3])
    if op is of.ASSERT:
        return _all(given[1])
    if op in (of.MAX_REPEAT, of.MIN_REPEAT) and given[0] > 0:
        return _all(given[2])
    if op is of.BRANCH:
        each = [min(_all(branch), key=_commonness, default=Words()) for branch in given[1]]
        return [Words().union(*each)] if all(each) else []
    return []


def _spelled(item: Any) -> set[str] | None:
    """All that a part of a pattern matches, None where that is too much."""
    op, given = item
    if op is str:
        return {given}
    if op is of.LITERAL:
        return {_letter(given)}
    if op is of.IN:
        if given == [(of.CATEGORY, of.CATEGORY_SPACE)]:
            return {" "}
        return _any_of([_spelled(one) for one in given])
    if op in (of.AT, of.ASSERT_NOT):
        return {""}
    if op is of.SUBPATTERN:
        return _in_order(given[3])
    if op is of.BRANCH:
        return _any_of([_in_order(branch) for branch in given[1]])
    if op in (of.MAX_REPEAT, of.MIN_REPEAT) and given[1] == 1:
        found = _in_order(given[2])
        return found if found is None or given[0] else found | {""}
    if op is of.CATEGORY and given is of.CATEGORY_SPACE:
        return {" "}
    return None


@cache
def _in_order(tree: Any) -> set[str] | None:
    spelled = {""}
    for item in _with_texts(tree):
        found = _spelled(item)
        if found is None or len(found) * len(spelled) > _MOST:
            return None
        spelled = {a + b for a in spelled for b in found}
    return spelled


def _with_texts(items: Iterable[Any]) -> Iterator[Any]:
    """The parts of a pattern, letters beside each other as one text; white space stays alone."""
    text = ""
    for item in items:
        letter = _letter(item[1]) if item[0] is of.LITERAL else " "
        if letter != " ":
            text += letter
            continue
        if text:
            yield str, text
        text = ""
        yield item
    if text:
        yield str, text


@cache
def _letter(code: int) -> str:
    return " " if chr(code).isspace() else _folded(chr(code))


def _any_of(each: Sequence[set[str] | None]) -> set[str] | None:
    spelled = set[str]()
    for one in each:
        if one is None:
            return None
        spelled |= one
    return spelled if len(spelled) <= _MOST else None


def _longest_word(spelled: str) -> str:
    """The longest word, with a space where there is one beside it: a run holds it."""
    words = spelled.split(" ")
    last = len(words) - 1
    bordered = [" " * (n > 0) + word + " " * (n < last) for n, word in enumerate(words)]
    return max(bordered, key=lambda word: len(word.strip()))
