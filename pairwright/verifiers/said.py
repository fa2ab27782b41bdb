"""What was said, as reward functions of TRL expect it: as text, or as a list of messages."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class Said(str):
    """A text that can be read as its messages too.

    TRL hands reward functions texts or lists of messages, as the data set has them, and functions are
    written for one or the other: `len(completion)`, `completion[0]["content"]`. This serves both:
    it is the text, but a whole number as index gives a message, and a loop goes through the messages.
    """

    messages: list[dict[str, Any]]

    def __new__(cls, text: str, messages: Sequence[Mapping[str, Any]]) -> "Said":
        said = super().__new__(cls, text)
        said.messages = [dict(message) for message in messages]
        return said

    def __getitem__(self, place: Any) -> Any:
        return self.messages[place] if isinstance(place, int) else super().__getitem__(place)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.messages)

    def __reduce__(self) -> Any:
        return Said, (str(self), self.messages)
