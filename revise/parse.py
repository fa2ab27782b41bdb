"""Read a reviser's completion: the rationale, and the whole corrected answer."""

import re
from typing import NamedTuple


class Revision(NamedTuple):
    """What a reviser said."""

    rationale: str
    text: str


_TAGGED = re.compile(r"<revision>(.*)</revision>", re.DOTALL | re.IGNORECASE)
_OPENED = re.compile(r"<revision>(.*)\Z", re.DOTALL | re.IGNORECASE)
_RATIONALE = re.compile(r"<rationale>(.*?)</rationale>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?(?:rationale|revision)>", re.IGNORECASE)
_HEADING = re.compile(
    r"^[ \t]*[#*{]*[ \t]*(?:corrected|revised|improved|final|worsened)[ _](?:student[ _])?"
    r"(?:answer|solution|response|version)[ \t]*[}*]*[ \t]*:?[ \t]*[}*]*[ \t]*:?[ \t]*",
    re.MULTILINE | re.IGNORECASE,
)
_NOTES = re.compile(r"^[ \t]*[*#]*[ \t]*(?:notes?|rationale|reasoning)[ \t]*:?[*]*[ \t]*:?", re.I)
_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)


def parse_revision(text: str) -> Revision | None:
    """The revision in a completion, or None when no marker of one is found.

    Markers are tried from strict to tolerant: a `<revision>` element (from the first opening tag to
    the last closing one, so that a revision may speak of tags), an unclosed `<revision>`, and a
    heading line such as `Corrected answer:` (the last one, so that a rationale may speak of it).
    An empty revision is None: it cannot be told from a reviser that broke off.
    """
    text = _THINKING.sub("", text)
    found = _TAGGED.search(text) or _OPENED.search(text)
    if found:
        before = text[: found.start()]
        named = _RATIONALE.search(before)
        rationale, revision = named.group(1) if named else _TAG.sub("", before), found.group(1)
    else:
        headings = list(_HEADING.finditer(text))
        if not headings:
            return None
        rationale, revision = text[: headings[-1].start()], text[headings[-1].end() :]
    revision = _unquoted(revision.strip())
    if not revision:
        return None
    return Revision(_NOTES.sub("", rationale.strip(), count=1).strip(), revision)


def _unquoted(text: str) -> str:
    """Without the code fence or the triple quotes that some models put around a whole answer."""
    lines = text.splitlines()
    if len(lines) > 2 and lines[0] in ('"""', "'''") and lines[-1] == lines[0]:
        return "\n".join(lines[1:-1]).strip()
    return text
