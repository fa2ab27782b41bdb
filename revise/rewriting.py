"""Revision by rewriting: the whole corrected answer, and how it is parsed from a reply."""

import logging
import re
from bisect import bisect
from typing import NamedTuple

from pairwright.errors import UsageError
from pairwright.records import UNPARSED, Completion, Ending
from pairwright.schema import PAIR
from prompts import load
from revise.config import ReviseConfig
from revise.mode import Revised, truncated

log = logging.getLogger(__name__)

_REWRITE = {"improve": "revise", "worsen": "worsen"}


class Rewriting:
    """The whole answer, written again (D'Oosterlinck et al. 2024)."""

    schema = PAIR

    def __init__(self, config: ReviseConfig) -> None:
        if config.edit_unit != "auto":
            raise UsageError(f"--edit_unit {config.edit_unit}: needs --mode edits")
        self._bare = config.reply == "bare"
        ours = _REWRITE[config.direction]
        if config.verify is not None and config.direction == "improve":
            ours = "revise_checked"
        self.first = load(config.template or ours)
        self.first.require("prompt", "answer", "feedback", "row")
        if self._bare and _OPEN.search(self.first.text):
            log.warning(
                "--reply bare: the template %s asks for <revision> tags, and a reply that has them is "
                "dropped as meta_talk; give --template revise_small, or one that asks for the answer alone",
                self.first.name,
            )
        self.again = load("revise_retry")

    def variables(self, prompt: str, answer: str) -> dict[str, str]:
        """Return the variables of the first template."""
        return {"prompt": prompt, "answer": answer}

    def json_schema(self, answer: str) -> None:
        """Return None: a whole answer is free text."""

    def read(self, completion: Completion, answer: str) -> Revised | Ending:
        """Return the revision between its markers, or the whole reply."""
        if completion.finish_reason == "length" and (self._bare or not is_closed(completion.text)):
            return truncated(completion)
        revision = (bare_revision if self._bare else parse_revision)(completion.text, answer)
        if revision is None:
            return Ending(UNPARSED, "no revision was found in what the reviser wrote")
        return Revised(revision.text, {"rationale": revision.rationale})


class Revision(NamedTuple):
    """What a reviser's completion says."""

    rationale: str
    text: str


_OPEN = re.compile(r"<revision\b[^<>\n]*>", re.IGNORECASE)
_CLOSE = re.compile(r"</\s*revision\s*>", re.IGNORECASE)
_CUT_TAG = re.compile(r"</\w*\Z")
_OPEN_LINE = re.compile(rf"^[ \t#*>]*{_OPEN.pattern}", re.IGNORECASE | re.MULTILINE)
_RATIONALE = re.compile(r"<rationale>", re.IGNORECASE)
_END_RATIONALE = re.compile(r"</rationale>", re.IGNORECASE)
_TAG = re.compile(r"</?(?:rationale|revision)>", re.IGNORECASE)
_BEGIN, _END = r"[ \t#*_{\[]*", r"[ \t*_}\]]*"  # markup around a heading
_CALLED = (
    r"(?:corrected|revised|improved|rewritten|worsened|flawed)[ _](?:student[ _])?"
    r"(?:answer|solution|response|version|text)"
)
_HEADING = re.compile(
    rf"^{_BEGIN}(?:{_CALLED}{_END}(?::{_END}|$)"
    rf"|(?:here(?:'s|’s|[ ]is)|below[ ]is|this[ ]is)[ ](?:the|my|a|your)[ ]{_CALLED}\b"
    rf"[^:.\n]{{0,60}}:{_END})",
    re.MULTILINE | re.IGNORECASE,
)
_NOTES = re.compile(
    rf"\A{_BEGIN}(?:notes?|rationale|(?:teacher[ _])?reasoning){_END}(?::{_END}|$)",
    re.MULTILINE | re.IGNORECASE,
)
_FENCE = re.compile(r"(\"{3}|'{3}|`{3,}|~{3,})\w*")
_LINE_BEGUN = re.compile(r"\A[ \t]*(\r\n|\n|\r)")
_LINE_ENDED = re.compile(r"(?:\r\n|\n|\r)[ \t]*\Z")
_LINE_FED = re.compile(r"\n[ \t]*\Z")
_AFTER_HEADING = re.compile(r"\A[ \t]*(?:(?:\r\n|\n|\r)[ \t]*(?=[\r\n]))*(?:\r\n|\n|\r)?")


def parse_revision(text: str, original: str = "") -> Revision | None:
    """Return the revision in a completion, or None when no marker of one is found.

    Markers are tried from strict to tolerant: a `<revision>` element after the rationale's, one that
    is not closed, one within the rationale, and a heading line such as `Corrected answer:` (the last
    one, so that a rationale may speak of it). A fence around the whole revision is taken off, unless
    the `original` has one. White space is the revision's own, but for the line break next to a marker
    and blank lines after a heading. A blank revision is None: the reviser may have broken off.
    """
    rationale, rest = _rationale(text)
    found = _element(rest)
    if found is None and _CLOSE.search(rationale):
        found, rationale = _element(rationale), ""
    found = found or _headed(rest)
    if found is None:
        return None
    before, inner = found
    revision = _unfenced(inner, original)
    if not revision.strip():
        return None
    return Revision(_NOTES.sub("", _TAG.sub("", rationale or before).strip()).strip(), revision)


def bare_revision(text: str, original: str = "") -> Revision | None:
    """Return the whole completion as the revision, for revisers that reply with nothing else."""
    revision = _unfenced(text, original)
    return Revision("", revision) if revision.strip() else None


def is_closed(text: str) -> bool:
    """Return whether a revision is whole although its completion was cut off: it went on after the end."""
    return bool(_CLOSE.search(text)) and parse_revision(text) is not None


def _rationale(text: str) -> tuple[str, str]:
    """What is in a `<rationale>` element that comes first, and the text after it."""
    begin, opening = _RATIONALE.search(text), _OPEN.search(text)
    if begin is None or (opening and opening.start() < begin.start()):
        return "", text
    end = _END_RATIONALE.search(text, begin.end())
    return (text[begin.end() : end.start()], text[end.end() :]) if end else ("", text)


def _element(text: str) -> tuple[str, str] | None:
    """What stands before the `<revision>` element, and what it holds without a line break at either tag.

    It ends at the last closing tag, so that it may speak of tags. An opening tag that begins a line
    goes before those within one, which a sentence may mention. Of several elements the last counts.
    """
    begin = _OPEN_LINE.search(text) or _OPEN.search(text)
    if begin is None:
        return None
    closes = [tag.start() for tag in _CLOSE.finditer(text, begin.end())]
    if not closes:
        cut = _CUT_TAG.search(text, begin.end())
        inner = text[begin.end() : cut.start()] if cut else text[begin.end() :]
        return text[: begin.start()], _inside(inner, closed=cut is not None)
    for later in _OPEN.finditer(text, closes[0], closes[-1]):
        if bisect(closes, later.start()) > bisect(closes, begin.end()):
            begin = later
    return text[: begin.start()], _inside(text[begin.end() : closes[-1]], closed=True)


def _inside(text: str, *, closed: bool) -> str:
    """Text between tags, without the line break that lets a tag stand on a line of its own.

    Both breaks are of one kind: where the first is a line feed, a carriage return before the last is the
    text's own.
    """
    begun = _LINE_BEGUN.match(text)
    text = text[begun.end() :] if begun else text
    fed = begun is not None and begun[1] == "\n"
    return (_LINE_FED if fed else _LINE_ENDED).sub("", text) if closed else text


def _headed(text: str) -> tuple[str, str] | None:
    """What stands before the last heading that announces a revision, and what follows it."""
    headings = list(_HEADING.finditer(text))
    if not headings:
        return None
    return text[: headings[-1].start()], _AFTER_HEADING.sub("", text[headings[-1].end() :])


def _unfenced(text: str, original: str) -> str:
    """Without the code fence or the triple quotes that some models put around a whole answer."""
    first, _, rest = text.strip().partition("\n")
    inside, _, last = rest.rpartition("\n")
    fence = _FENCE.fullmatch(first.strip())
    fenced = fence is not None and last.strip() == fence[1] and fence[1] not in inside
    if fenced and fence is not None and not original.lstrip().startswith(fence[1]):
        return inside.removesuffix("\r") if first.endswith("\r") else inside
    return text
