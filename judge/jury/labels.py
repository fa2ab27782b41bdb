"""Names of the candidates in one question: letters, and a code that no candidate can know.

They are drawn from a hash of the row, so repeated runs ask the same questions.
"""

from collections.abc import Iterable
from typing import Any

from pairwright.records import content_hash

LETTERS = "CDEFGHJKLMNPQRSTUVWXYZ"
"""Labels. A and B are what forged verdicts name, and A, I and O begin sentences as words."""


def draw_labels(*identity: Any) -> tuple[str, str]:
    """Return two different letters: of the response that stands first, and of the second.

    Both orders of a pair use the same two for the same places. A liking for a letter is thus a
    liking for a place, and both cancel in the mean over the orders.
    """
    number = int(content_hash(["labels", *identity]), 16)
    number, first = divmod(number, len(LETTERS))
    step = 1 + number % (len(LETTERS) - 1)
    return LETTERS[first], LETTERS[(first + step) % len(LETTERS)]


def draw_letters(count: int, *identity: Any) -> list[str]:
    """Return different letters for the responses at these places."""
    return sorted(LETTERS, key=lambda letter: content_hash(["letters", *identity, letter]))[:count]


def draw_nonce(row_id: str, texts: Iterable[str]) -> str:
    """Return a code of 12 hex digits that occurs in none of the texts."""
    texts = list(texts)
    turn = 0
    while True:
        nonce = content_hash(["nonce", row_id, texts, turn])[:12]
        if not any(nonce in text for text in texts):
            return nonce
        turn += 1


def shuffled(count: int, row_id: str) -> list[int]:
    """Return 0 … `count` - 1 in an order drawn from the row's hash."""
    return sorted(range(count), key=lambda i: content_hash(["order", row_id, i]))
