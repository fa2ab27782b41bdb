"""Which revisions become pairs. A failing gate gives a status, a reason, and words for a second try."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Postfix, Prefix

from pairwright.pairs.minimality import Minimality
from pairwright.pairs.tokens import count
from pairwright.plugins import Plugin, function, guarded, load, require
from pairwright.records import BLANK_LINES, KEPT, NO_CHANGE, REFUSED, Ending
from revise.config import GateConfig
from revise.phrases import declines, speaks_as_model, speaks_of_itself
from revise.set_apart import remark_apart

SLACK_TOKENS = 10
"""A length difference of this many tokens is never a drift, however short the answers."""

_QUOTED = 80
_ROUNDED = 1 - 1e-9
"""What division may add to a ratio or take from it, and more."""


class Revision(NamedTuple):
    """A parsed revision and what it revises."""

    original: str
    text: str
    measures: Minimality


Gate = Callable[[Revision, GateConfig], Ending | None]


_USERS = function("a gate", "def NAME(revision, config) -> Ending | None", "revision", "config")


def user_gates(config: GateConfig) -> tuple[Gate, ...]:
    """Return the user's own gates. Raises `UsageError` for a name that is not one's."""
    return tuple(_guarded(load(name, _USERS)) for name in config.gates)


def _guarded(own: Plugin) -> Gate:
    """A gate of the user's own, whose faults are told in one sentence."""

    def gate(revision: Revision, config: GateConfig) -> Ending | None:
        with guarded(own.name, own.value):
            found = own.value(revision, config)
        fits = found is None or (
            isinstance(found, Ending)
            and all(isinstance(text, str) for text in found)
            and found.status != ""
        )
        require(own.name, "None, or an `Ending` with a status", given=found, fits=fits)
        return found  # type: ignore[no-any-return]

    return gate


def check(revision: Revision, config: GateConfig, own: Sequence[Gate] = ()) -> Ending:
    """Return the ending of the first gate that a revision fails, `own` ones last, or `kept`."""
    for gate in (*_GATES, *own):
        ending = gate(revision, config)
        if ending is not None:
            return ending
    return Ending(KEPT)


def no_change(revision: Revision, config: GateConfig) -> Ending | None:
    """Drop a revision that equals the answer character for character; case and white space are changes."""
    if revision.original == revision.text:
        return Ending(NO_CHANGE, "the revision says exactly what the answer says")
    return None


_AROUND = re.compile(r"\A(?:[^\S\r\n]*[\r\n])+|\s+\Z")


def blank_lines(revision: Revision, config: GateConfig) -> Ending | None:
    """Drop a revision that differs only in blank lines before or white space after: nothing to learn."""
    if revision.original.strip() != revision.text.strip():
        return None
    before, after = (_AROUND.sub("", text) for text in (revision.original, revision.text))
    if before == after:
        return Ending(BLANK_LINES, "it differs only in blank lines before or white space after it")
    return None


def meta_talk(revision: Revision, config: GateConfig) -> Ending | None:
    """Drop a revision that mentions being one: its reader never saw another answer."""
    found = speaks_of_itself(revision.text)
    if found and speaks_of_itself(revision.original):
        found = None
    if found := found or remark_apart(revision.original, revision.text):
        return Ending("meta_talk", f"the revision speaks of itself: “{_quoted(found)}”")
    return None


def refused(revision: Revision, config: GateConfig) -> Ending | None:
    """Drop a refusal where the original answered."""
    found = declines(revision.text)
    if found and not declines(revision.original):
        return Ending(REFUSED, f"the revision declines to answer: “{_quoted(found)}”")
    return None


def model_talk(revision: Revision, config: GateConfig) -> Ending | None:
    """Drop a revision that introduces its speaker as a model where the original did not."""
    found = speaks_as_model(revision.text)
    if found and not speaks_as_model(revision.original):
        return Ending("meta_talk", f"the revision speaks as a model: “{_quoted(found)}”")
    return None


_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_URL = re.compile(r"https?://[^\s)>\]\"'`]*[^\s)>\]\"'`.,;:!?*_]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def lost_content(revision: Revision, config: GateConfig) -> Ending | None:
    """Drop a revision without the answer's code blocks or links, or most of its numbers."""
    before, after = revision.original, revision.text
    fenced = "```" in before or "~~~" in before
    if fenced and len(_FENCE.findall(after)) < len(_FENCE.findall(before)):
        return Ending("lost_content", "a code block of the answer is missing from the revision")
    if "://" in before:
        links = set(_URL.findall(before)) - set(_URL.findall(after))
        if links:
            return Ending("lost_content", f"the link {min(links)} is missing from the revision")
    if len(set(_NUMBER.findall(_middle(before, after)))) < 2:
        return None  # two must be gone at least, and none is where both texts say the same
    numbers = set(_NUMBER.findall(before))
    gone = numbers - set(_NUMBER.findall(after)) if len(numbers) > 2 else ()
    if 2 * len(gone) > len(numbers):
        return Ending("lost_content", f"{len(gone)} of the answer's {len(numbers)} numbers are missing")
    return None


def _middle(before: str, after: str) -> str:
    """What stands in a text between its beginning and its end that another one shares, in whole runs."""
    start = Prefix.similarity(before, after)
    end = len(before) - Postfix.similarity(before, after)
    while start and not before[start - 1].isspace():
        start -= 1
    while end < len(before) and not before[end].isspace():
        end += 1
    return before[start:end]


def length_drift(revision: Revision, config: GateConfig) -> Ending | None:
    """Drop a revision much longer or much shorter than the original."""
    least, most = config.min_length_ratio, config.max_length_ratio
    ratio = revision.measures.length_ratio  # of chosen to rejected, whichever of them is the revision
    if ratio and least < min(ratio, 1 / ratio) * _ROUNDED and max(ratio, 1 / ratio) < most * _ROUNDED:
        return None  # without counting
    before, after = count(revision.original), count(revision.text)
    ratio = after / max(before, 1)
    if least <= ratio <= most or abs(after - before) <= SLACK_TOKENS:
        return None
    return Ending(
        "length_drift",
        f"the revision has {ratio:.4g} times the answer's words; "
        f"between {config.min_length_ratio:g} and {config.max_length_ratio:g} is allowed",
    )


def rewritten(revision: Revision, config: GateConfig) -> Ending | None:
    """Drop a revision that is a new answer rather than a correction of the old one."""
    kept, distance = revision.measures.kept_share, revision.measures.edit_distance
    if kept < config.min_kept_share:
        return Ending(
            "rewritten",
            f"the revision keeps {_share(kept)} of the answer's words; "
            f"at least {_share(config.min_kept_share)} is wanted",
        )
    if distance > config.max_edit_distance:
        return Ending(
            "rewritten",
            f"the revision edits {_share(distance)} of the words; "
            f"at most {_share(config.max_edit_distance)} is wanted",
        )
    return None


_GATES: tuple[Gate, ...] = (
    no_change,
    blank_lines,
    meta_talk,
    refused,
    model_talk,
    lost_content,
    length_drift,
    rewritten,
)


def _quoted(found: str) -> str:
    words = " ".join(found.split())
    return words if len(words) <= _QUOTED else f"{words[:_QUOTED]}…"


def _share(share: float) -> str:
    return f"{100 * share:.4g}%"
