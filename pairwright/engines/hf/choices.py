"""Completions that must be one of a few texts, token by token."""

from collections.abc import Sequence
from typing import NamedTuple


class Choices(NamedTuple):
    """The texts that may come out, each with its token ids; `end` is the token that ends a turn."""

    texts: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]
    end: int

    def allowed(self, so_far: Sequence[int]) -> list[int]:
        """Return tokens that may follow; `end` where a text is complete and a longer one goes on."""
        begun = tuple(so_far)
        following = [ids[len(begun) :] for ids in self.ids if ids[: len(begun)] == begun]
        return sorted({rest[0] if rest else self.end for rest in following})

    def chosen(self, so_far: Sequence[int]) -> str | None:
        """Return the text that these tokens determine, or None while several are possible."""
        ended = bool(so_far) and so_far[-1] == self.end
        begun = tuple(so_far[:-1] if ended else so_far)
        if begun not in self.ids or (not ended and self.allowed(begun) != [self.end]):
            return None
        return self.texts[self.ids.index(begun)]

    @property
    def length(self) -> int:
        """Most tokens that a choice can take."""
        return max(map(len, self.ids)) + 1
