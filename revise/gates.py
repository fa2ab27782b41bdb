"""Which revisions become pairs. A gate gives a status, a reason, and words for a second try."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pairwright.pairs.minimality import Minimality, words
from pairwright.plugins import function, load
from pairwright.records import KEPT
from revise.config import GateConfig
from revise.phrases import declines, speaks_as_model, speaks_of_itself

SLACK_TOKENS = 10
"""A length difference of this many tokens is never a drift, however short the answers."""

_QUOTED = 80


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


_OWN = function("a gate", "def NAME(candidate, config) -> Verdict | None", "candidate", "config")


def own_gates(config: GateConfig) -> tuple[Gate, ...]:
    """The user's own gates. Raises `UsageError` for what is none."""
    return tuple(load(name, _OWN).value for name in config.gates)


def check(candidate: Candidate, config: GateConfig, own: Sequence[Gate] = ()) -> Verdict:
    """The verdict of the first gate that a candidate fails, `own` ones last, or `kept`."""
    for gate in (*_GATES, *own):
        verdict = gate(candidate, config)
        if verdict is not None:
            return verdict
    return Verdict(KEPT)


def no_change(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """The same text, character for character: case and white space are changes."""
    if candidate.original == candidate.revision:
        return Verdict("no_change", "the revision says exactly what the answer says")
    return None


_AROUND = re.compile(r"\A(?:[^\S\r\n]*[\r\n])+|\s+\Z")


def blank_lines(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """The same text but for blank lines before it or white space behind it: nothing to be learnt."""
    before, after = (_AROUND.sub("", text) for text in (candidate.original, candidate.revision))
    if before == after:
        return Verdict(
            "blank_lines", "the revision differs from the answer in the blank lines around it only"
        )
    return None


def meta_talk(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """A revision that speaks of being one: its reader never saw another answer."""
    found = speaks_of_itself(candidate.revision)
    if found and not speaks_of_itself(candidate.original):
        return Verdict("meta_talk", f"the revision speaks of itself: “{_quoted(found)}”")
    return None


def refused(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """A refusal where the original answered."""
    found = declines(candidate.revision)
    if found and not declines(candidate.original):
        return Verdict("refused", f"the revision declines to answer: “{_quoted(found)}”")
    return None


def model_talk(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """A revision whose speaker says that it is a model, where the original's did not."""
    found = speaks_as_model(candidate.revision)
    if found and not speaks_as_model(candidate.original):
        return Verdict("meta_talk", f"the revision speaks as a model: “{_quoted(found)}”")
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
