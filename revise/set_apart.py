"""Find remarks by where they stand: apart from the answer, at the beginning or the end of a revision.

Before or after what is nearly the answer, one word about a text or its changes is enough, in whatever
sentence. Within a text of its own it says nothing.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from revise.phrases import about_changes, about_texts, about_the_rest

_LOOKED_AT = 80
"""Characters by which a beginning or an end is told."""
_ALIKE = 0.6
_LONGEST = 200
_SHORT = 45
"""Characters of a sentence that speaks of the rest of a text, and of nothing else's."""
_TO_COLON = re.compile(r"[^\n:：]+[:：]")


def remark_apart(original: str, text: str) -> str | None:
    """Return a remark that stands before or after what is nearly `original`, or None."""
    if not any(mark in text for mark in "\n:："):
        return None
    for line, rest in _beginnings(text):
        announces = line.rstrip("*_ ").endswith((":", "："))
        if original.lstrip().startswith(line) or not (announces or about_changes(line)):
            continue
        begins = original.lstrip()[:_LOOKED_AT]
        nearer = _is_nearer(rest[:_LOOKED_AT], text[:_LOOKED_AT], begins)
        if nearer and (about_changes(line) or (_is_sentence(line) and about_texts(line))):
            return line
    rest, ends_a_line, line = text.rstrip().rpartition("\n")
    rest, line = rest.rstrip(), line.strip()
    worded = ends_a_line and rest and re.search(r"\w", line)
    if not worded or len(line) > _LONGEST or original.rstrip().endswith(line):
        return None
    speaks = about_changes(line) or (len(line) <= _SHORT and about_the_rest(line))
    ends = original.rstrip()[-_LOOKED_AT:]
    return line if speaks and _is_nearer(rest[-_LOOKED_AT:], text[-_LOOKED_AT:], ends) else None


def _beginnings(text: str) -> Iterator[tuple[str, str]]:
    """The first line of a text, and what it says up to its first colon, each with what follows."""
    begun = text.lstrip()
    line, ends, rest = begun.partition("\n")
    rest = rest.lstrip("\n")
    if ends and rest and not rest[0].isspace() and len(line) <= _LONGEST:
        yield line.strip(), rest
    announced = _TO_COLON.match(begun)
    if announced and (rest := begun[announced.end() :].lstrip()) and announced.end() <= _LONGEST:
        yield announced[0].strip(), rest


def _is_sentence(line: str) -> bool:
    """Whether a line is more than a heading such as `Answer:`, in scripts with spaces or without."""
    return len(line.split()) > 3 or (not line.isascii() and len(line) > 6)


def _is_nearer(rest: str, whole: str, original: str) -> bool:
    """Whether a part of a text is like the original, and more so than the text with what stands apart."""
    alike = SequenceMatcher(None, rest, original, autojunk=False).ratio()
    return alike >= _ALIKE and alike > SequenceMatcher(None, whole, original, autojunk=False).ratio()
