"""Texts as words and as runs of words, by which they are found to be the same or nearly so."""

from collections.abc import Iterator

from pairwright.pairs.minimality import WORD


def words_of(text: str) -> list[str]:
    """Return the words of a text without regard to case; marks do not count."""
    return [word for word in WORD.findall(text.casefold()) if word[0].isalnum()]


def folded(text: str) -> str:
    """Return a text without regard to case and white space."""
    return " ".join(text.casefold().split())


def runs(words: list[str], length: int) -> Iterator[str]:
    """Yield every `length` words in a row; a shorter text is one run."""
    for start in range(max(len(words) - length, 0) + 1):
        yield " ".join(words[start : start + length])
