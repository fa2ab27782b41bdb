"""Which revisions become pairs. A gate gives a status, a reason, and words for a second try."""

import re
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from pydantic import Field

from pairwright.config import GATE, Config
from pairwright.minimality import WORD, Minimality
from pairwright.records import KEPT

SLACK_TOKENS = 10
"""A length difference of this many tokens is never a drift, however short the answers."""


class GateConfig(Config):
    """Limits between a minimal revision and something else."""

    group: ClassVar[str] = "Gates"

    min_kept_share: float = Field(default=0.5, ge=0, le=1, json_schema_extra=GATE)
    """Least share of the original answer's words that a revision keeps, in order."""
    max_edit_distance: float = Field(default=0.6, ge=0, le=1, json_schema_extra=GATE)
    """Most words edited, as a share of the longer answer."""
    min_length_ratio: float = Field(default=0.7, ge=0, json_schema_extra=GATE)
    """Least words of the revision for each word of the original."""
    max_length_ratio: float = Field(default=1.5, gt=0, json_schema_extra=GATE)
    """Most words of the revision for each word of the original."""


class Candidate(NamedTuple):
    """A parsed revision beside what it revises."""

    original: str
    revision: str
    measures: Minimality


class Verdict(NamedTuple):
    """What the gates say of a candidate."""

    status: str
    reason: str = ""


Gate = Callable[[Candidate, GateConfig], Verdict | None]


def check(candidate: Candidate, config: GateConfig) -> Verdict:
    """The first gate's verdict that a candidate fails, or `kept`."""
    for gate in (no_change, meta_talk, refused, lost_content, length_drift, rewritten):
        verdict = gate(candidate, config)
        if verdict is not None:
            return verdict
    return Verdict(KEPT)


def no_change(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """The same text, or one that differs in white space and case only."""
    if _folded(candidate.original) == _folded(candidate.revision):
        return Verdict("no_change", "the revision says exactly what the answer says")
    return None


_META = re.compile(
    r"""
    ^\W*(?:sure|certainly|of\ course)\b[^.\n]*\b(?:revis|correct|improv|version)
    | \bhere(?:\ is|'s|’s)\ (?:the|a|an|your|my)\ (?:\w+\ ){0,2}
      (?:revis|correct|improv|rewrit|edit|updat|wors)
    | \b(?:revised|corrected|improved|rewritten|worsened|edited|updated)\ (?:student\ )?
      (?:answer|version|solution|response|revision|text)\b
    | \b(?:original|previous|student(?:'s|’s)?)\ (?:answer|solution|response)\b
    | </?(?:revision|rationale)>
    """,
    re.IGNORECASE | re.VERBOSE,
)


def meta_talk(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """A revision that speaks of being one: its reader never saw another answer."""
    found = _META.search(candidate.revision)
    if found and not _META.search(candidate.original):
        return Verdict("meta_talk", f"the revision speaks of itself: “{found.group().strip()}”")
    return None


_REFUSAL = re.compile(
    r"""
    ^\W*(?:i(?:'m|’m|\ am)\ (?:very\ |so\ )?sorry | sorry, | i\ apologi[sz]e | unfortunately,\ i
    | i\ (?:can(?:no|'|’)t | am\ (?:not\ able|unable)) | as\ an?\ (?:ai|language\ model))[^.\n]*
    """,
    re.IGNORECASE | re.VERBOSE,
)


def refused(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """A refusal where the original answered."""
    found = _REFUSAL.search(candidate.revision)
    if found and not _REFUSAL.search(candidate.original):
        return Verdict("refused", f"the revision declines to answer: “{found.group().strip()}”")
    return None


_FENCE = re.compile(r"^```", re.MULTILINE)
_URL = re.compile(r"https?://[^\s)>\]]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def lost_content(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """Code blocks or links that are gone, or most of the numbers."""
    original, revision = candidate.original, candidate.revision
    if len(_FENCE.findall(revision)) < len(_FENCE.findall(original)):
        return Verdict("lost_content", "a code block of the answer is missing from the revision")
    links = set(_URL.findall(original)) - set(_URL.findall(revision))
    if links:
        return Verdict("lost_content", f"the link {min(links)} is missing from the revision")
    numbers = set(_NUMBER.findall(original))
    gone = numbers - set(_NUMBER.findall(revision))
    if len(numbers) > 2 and 2 * len(gone) > len(numbers):
        return Verdict("lost_content", f"{len(gone)} of the answer's {len(numbers)} numbers are missing")
    return None


def length_drift(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """Much longer or much shorter than the original."""
    before, after = (len(WORD.findall(t)) for t in (candidate.original, candidate.revision))
    ratio = after / max(before, 1)
    inside = config.min_length_ratio <= ratio <= config.max_length_ratio
    if inside or abs(after - before) <= SLACK_TOKENS:
        return None
    return Verdict(
        "length_drift",
        f"the revision has {ratio:.2f} times the answer's words; "
        f"between {config.min_length_ratio:g} and {config.max_length_ratio:g} is allowed",
    )


def rewritten(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """More a new answer than a correction of the old one."""
    kept, distance = candidate.measures.kept_share, candidate.measures.edit_distance
    if kept < config.min_kept_share:
        return Verdict(
            "rewritten",
            f"the revision keeps {kept:.0%} of the answer's words; "
            f"at least {config.min_kept_share:.0%} is wanted",
        )
    if distance > config.max_edit_distance:
        return Verdict(
            "rewritten",
            f"the revision edits {distance:.0%} of the words; "
            f"at most {config.max_edit_distance:.0%} is wanted",
        )
    return None


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
