"""Where in the answer a quotation stands: exactly, up to spaces and quotes, or nearly."""

import re
import unicodedata
from functools import lru_cache
from typing import Literal, NamedTuple

from rapidfuzz import fuzz

from pairwright.pairs.tokens import WORD

Match = Literal["exact", "normalised", "fuzzy", "sentence"]

MIN_FUZZY = 12
"""A quotation shorter than this (folded characters) is never matched approximately: too much is near it."""

_RIVAL = 5.0
"""Another place this close to the best score (of 100) makes an approximate match ambiguous."""

_REACH = 3
_ALIKE = str.maketrans("“”„‟«»‘’‚‛`´′″‐‑‒–—−", "\"\"\"\"\"\"'''''''\"------")
_UNSEEN = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")


class Place(NamedTuple):
    """A stretch of the answer, in characters, and how it was found."""

    start: int
    end: int
    match: Match


class Folded(NamedTuple):
    """A text as it is compared: NFKC, plain quotes and dashes, each run of white space one space."""

    text: str
    starts: list[int]
    """For each character of `text`, where the stretch begins that it stands for."""
    ends: list[int]

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the stretch behind `text[start:end]`; None where that would cut a stretch in two."""
        if start and self.starts[start - 1] == self.starts[start]:
            return None
        if end < len(self.text) and self.starts[end] == self.starts[end - 1]:
            return None
        return self.starts[start], self.ends[end - 1]


def places(find: str, answer: str, min_ratio: float) -> list[Place]:
    """Return every place that a quotation may mean, by the strictest way of matching that finds any.

    None: it is missing. More than one: it is ambiguous. `min_ratio` (0 to 1) is the least likeness
    of an approximate match, as `rapidfuzz.fuzz.ratio` has it.
    """
    exact = [Place(at, at + len(find), "exact") for at in _occurrences(find, answer)]
    if exact or not find.strip():
        return exact
    wanted, within = folded(find).text.strip(), _folded_answer(answer)
    spans = (within.span(at, at + len(wanted)) for at in _occurrences(wanted, within.text))
    if alike := [Place(*span, "normalised") for span in spans if span]:
        return alike
    return _nearly(wanted, answer, 100 * min_ratio) if len(wanted) >= MIN_FUZZY else []


def folded(text: str) -> Folded:
    """Return the text with quotes, dashes and white space folded for comparison.

    With it comes the place from which each character came.
    """
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    while at < len(text):
        end = at + 1
        if text[at].isspace():
            while end < len(text) and text[end].isspace():
                end += 1
            plain = " "
        else:
            while end < len(text) and unicodedata.combining(text[end]):
                end += 1
            plain = unicodedata.normalize("NFKC", _UNSEEN.sub("", text[at:end].translate(_ALIKE)))
        out.append(plain)
        starts += [at] * len(plain)
        ends += [end] * len(plain)
        at = end
    return Folded("".join(out), starts, ends)


_folded_answer = lru_cache(maxsize=1)(folded)
"""The edits of a list are looked for in the same answer."""


def _occurrences(find: str, text: str) -> list[int]:
    """Where `find` begins in `text`; places that overlap count too."""
    found: list[int] = []
    at = text.find(find) if find else -1
    while at >= 0:
        found.append(at)
        at = text.find(find, at + 1)
    return found


def _nearly(wanted: str, answer: str, least: float) -> list[Place]:
    """The best approximate place, on word borders, and any other that is about as good."""
    best = _best(wanted, answer, 0, len(answer), least)
    if best is None:
        return []
    score, start, end = best
    rivals = [
        rival
        for low, high in ((0, start), (end, len(answer)))
        if (rival := _best(wanted, answer, low, high, max(least, score - _RIVAL)))
    ]
    return [Place(low, high, "fuzzy") for _, low, high in (best, *rivals)]


def _best(wanted: str, answer: str, low: int, high: int, least: float) -> tuple[float, int, int] | None:
    """Likeness, start and end of the most similar run of whole words in `answer[low:high]`."""
    if high - low < len(wanted) // 2:
        return None
    text = answer[low:high]
    near = fuzz.partial_ratio_alignment(wanted, text)
    words = [m.span() for m in WORD.finditer(text)]
    if near is None or not words:
        return None
    begins = sorted((s for s, _ in words), key=lambda s: abs(s - near.dest_start))[: 2 * _REACH]
    finishes = sorted((e for _, e in words), key=lambda e: abs(e - near.dest_end))[: 2 * _REACH]
    score, start, end = max(
        ((fuzz.ratio(wanted, folded(text[s:e]).text), s, e) for s in begins for e in finishes if s < e),
        default=(0.0, 0, 0),
    )
    return (score, low + start, low + end) if score >= least else None
