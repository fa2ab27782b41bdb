"""Which revisions become pairs. A gate gives a status, a reason, and words for a second try."""

import re
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from pydantic import Field

from pairwright.config import GATE, Config
from pairwright.pairs.minimality import Minimality, words
from pairwright.records import KEPT

SLACK_TOKENS = 10
"""A length difference of this many tokens is never a drift, however short the answers."""

_QUOTED = 80


class GateConfig(Config):
    """Limits between a minimal revision and something else."""

    group: ClassVar[str] = "Gates"

    min_kept_share: float = Field(default=0.5, ge=0, le=1, json_schema_extra=GATE)
    """Least share of the original answer's words that a revision keeps, in order."""
    max_edit_distance: float = Field(default=0.6, ge=0, le=1, json_schema_extra=GATE)
    """Most words edited, as a share of the longer answer."""
    min_length_ratio: float = Field(default=0.7, ge=0, allow_inf_nan=False, json_schema_extra=GATE)
    """Least words of the revision for each word of the original."""
    max_length_ratio: float = Field(default=1.5, gt=0, allow_inf_nan=False, json_schema_extra=GATE)
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
    before, after = candidate.original.split(), candidate.revision.split()
    if len(before) != len(after):
        return None
    if all(a == b or a.casefold() == b.casefold() for a, b in zip(before, after, strict=True)):
        return Verdict("no_change", "the revision says exactly what the answer says")
    return None


_META = re.compile(
    r"""
    \b(?:here(?:'s|’s|\ is)|below\ is|this\ is|i(?:'ve|’ve|\ have)\ (?:written|provided))
      \ (?:the|a|an|your|my)\ (?:\w+\ )?
      (?:revised|corrected|improved|rewritten|worsened|flawed|edited|updated)\ (?:\w+\ )?
      (?:answer|version|solution|response|revision|draft)\b
    | \b(?:the|a|an|this|my|your)\ (?:(?:revised|corrected|rewritten|worsened|flawed)\ (?:student\ )?
      (?:answer|response|revision) | improved\ answer)\b
    | \b(?:this|my)\ (?:revised|corrected|improved|rewritten|edited|updated)\ (?:version|solution)\b
    | \bi(?:'ve|’ve|\ have)?\ (?:revised|corrected|rewrote|rewritten|improved|edited|fixed)
      \ (?:the|your|this|my)\ (?:\w+\ )?(?:answer|response|solution)\b
    | \b(?:(?:the|your|my)\ (?:original|previous|earlier|initial)\ answer
      | your\ (?:original|previous|earlier|initial)\ response)\b
    | \b(?:student(?:'s|’s)\ (?:answer|solution|response) | the\ student\ (?:answer|solution))\b
    | ^[*\#_\ \t]*(?:changes\ made|summary\ of\ changes|explanation\ of\ (?:the\ )?changes)[*_]*:
    | </?(?:revision|rationale)>
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


_META_WORDS = re.compile(
    "revis|correct|improv|rewrit|rewrote|worsen|flaw|edit|updat|fixed|original|previous|earlier|initial"
    "|student|changes|rationale"
)
"""Stems of which `_META` wants one. They are found in a tenth of its time, and mostly are not there."""


def _speaks_of_itself(text: str) -> re.Match[str] | None:
    if text.isascii() and not _META_WORDS.search(text.lower()):
        return None
    return _META.search(text)


def meta_talk(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """A revision that speaks of being one: its reader never saw another answer."""
    found = _speaks_of_itself(candidate.revision)
    if found and not _speaks_of_itself(candidate.original):
        return Verdict("meta_talk", f"the revision speaks of itself: “{_quoted(found)}”")
    return None


_REFUSAL = re.compile(
    r"""
    \A\W*
    (?:(?:i(?:'m|’m|\ am)\ (?:very\ |so\ |really\ |truly\ )?sorry|sorry|i\ apologi[sz]e|(?:my\ )?apologies
      |unfortunately|regrettably)\b[^.!?\n]{0,60}?)?
    (?:\bi(?:\ (?:cannot|can(?:'|’)?t|won(?:'|’)t|will\ not|am\ (?:unable|not\ able)\ to)
         |(?:'|’)m\ (?:unable|not\ able)\ to)
       \ (?:be\ able\ to\ )?
       (?:help(?!\ but)|assist|provide|answer|respond|fulfill?|comply|do\ (?:that|this)|create|write
         |generate|discuss|support|engage|continue|offer|participate)\b
     |\bi\ (?:must|have\ to)\ (?:\w+\ )?decline\b
     |\bi\ do(?:\ not|n(?:'|’)t)\ (?:have\ (?:access|the\ ability)|feel\ comfortable)\b
     |\bas\ an?\ (?:ai|artificial\ intelligence|(?:large\ )?language\ model)(?:\ [\w-]+){0,3},?\ i\b)
    [^.\n]*
    """,
    re.IGNORECASE | re.VERBOSE,
)


def refused(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """A refusal where the original answered."""
    found = _REFUSAL.search(candidate.revision)
    if found and not _REFUSAL.search(candidate.original):
        return Verdict("refused", f"the revision declines to answer: “{_quoted(found)}”")
    return None


_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_URL = re.compile(r"https?://[^\s)>\]\"'`]*[^\s)>\]\"'`.,;:!?*_]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def lost_content(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """Code blocks or links that are gone, or most of the numbers."""
    original, revision = candidate.original, candidate.revision
    fenced = "```" in original or "~~~" in original
    if fenced and len(_FENCE.findall(revision)) < len(_FENCE.findall(original)):
        return Verdict("lost_content", "a code block of the answer is missing from the revision")
    if "://" in original:
        links = set(_URL.findall(original)) - set(_URL.findall(revision))
        if links:
            return Verdict("lost_content", f"the link {min(links)} is missing from the revision")
    numbers = set(_NUMBER.findall(original))
    gone = numbers - set(_NUMBER.findall(revision)) if len(numbers) > 2 else ()
    if 2 * len(gone) > len(numbers):
        return Verdict("lost_content", f"{len(gone)} of the answer's {len(numbers)} numbers are missing")
    return None


def length_drift(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """Much longer or much shorter than the original."""
    before, after = len(words(candidate.original)), len(words(candidate.revision))
    ratio = after / max(before, 1)
    inside = config.min_length_ratio <= ratio <= config.max_length_ratio
    if inside or abs(after - before) <= SLACK_TOKENS:
        return None
    return Verdict(
        "length_drift",
        f"the revision has {ratio:.4g} times the answer's words; "
        f"between {config.min_length_ratio:g} and {config.max_length_ratio:g} is allowed",
    )


def rewritten(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """More a new answer than a correction of the old one."""
    kept, distance = candidate.measures.kept_share, candidate.measures.edit_distance
    if kept < config.min_kept_share:
        return Verdict(
            "rewritten",
            f"the revision keeps {_share(kept)} of the answer's words; "
            f"at least {_share(config.min_kept_share)} is wanted",
        )
    if distance > config.max_edit_distance:
        return Verdict(
            "rewritten",
            f"the revision edits {_share(distance)} of the words; "
            f"at most {_share(config.max_edit_distance)} is wanted",
        )
    return None


def _quoted(found: re.Match[str]) -> str:
    words = " ".join(found.group().split())
    return words if len(words) <= _QUOTED else f"{words[:_QUOTED]}…"


def _share(share: float) -> str:
    return f"{100 * share:.4g}%"
