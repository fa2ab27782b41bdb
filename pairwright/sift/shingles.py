"""Texts as words and as runs of words, by which they are found to be the same or nearly so."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pairwright.pairs.tokens import WORD


def words_of(text: str) -> list[str]:
    """Return the words of a text without regard to case; marks do not count."""
    return [word for word in WORD.findall(text.casefold()) if word[0].isalnum()]


def folded(text: str) -> str:
    """Return a text without regard to case and white space."""
    return " ".join(text.casefold().split())


def split_folded(texts: pa.StringArray) -> pa.ListArray:
    """Return what stands between the white space of each text, without regard to case."""
    small = pa.array([text.casefold() for text in texts.to_pylist()], pa.string())
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(small))


def runs(words: list[str], length: int) -> Iterator[str]:
    """Yield every `length` words in a row; a shorter text is one run."""
    for start in range(max(len(words) - length, 0) + 1):
        yield " ".join(words[start : start + length])
