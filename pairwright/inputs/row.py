"""One row of work, and one answer to its prompt."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pairwright.records import Message


class Candidate(NamedTuple):
    """One of several answers to a prompt."""

    text: str
    model: str | None = None
    """The model that gave it, where that is known."""
    column: str | None = None
    """The column it stands in, where answers stand side by side."""
    reasoning: str | None = None
    """What its model thought before it."""


class Row(NamedTuple):
    """One row of work."""

    row_id: str
    """Hash of prompt, answer and occurrence: the same row has the same id wherever it stands."""
    prompt_id: str
    """Hash of the prompt alone."""
    occurrence: int
    """How many equal rows came before it."""
    prompt: tuple[Message, ...]
    answer: str | None
    carried: dict[str, Any]
    """The input's other columns."""
    candidates: tuple[Candidate, ...] = ()
    """All answers to the prompt, where the input was read for that (`pairwright.inputs.candidates`)."""
    problem: str | None = None
    """What is wrong with it, where a bad row is passed over; then the rest is empty."""
    reasoning: str | None = None
    """What was thought before the answer."""
    given: Mapping[str, str] = MappingProxyType({})
    """The input's own names of carried columns that have others here."""

    @property
    def columns(self) -> dict[str, Any]:
        """The input's other columns under the names that the input has for them."""
        return {self.given.get(name, name): value for name, value in self.carried.items()}


class Parsed(NamedTuple):
    """A record's content, and where it stands."""

    where: str
    prompt: tuple[Message, ...]
    answer: str | None
    carried: dict[str, Any]
    candidates: tuple[Candidate, ...] = ()
    problem: str | None = None
    reasoning: str | None = None

    @property
    def content(self) -> tuple[str | None, ...]:
        """The part that makes it equal to another row: prompt and answers."""
        if self.problem is not None:
            return (self.problem,)
        said = (text for m in self.prompt for text in (m.role, m.content, *map(repr, m.further.values())))
        return (*said, self.answer, *(candidate.text for candidate in self.candidates))


def thought_beside(record: Mapping[str, Any], name: str | None, own: Collection[str] | None) -> str | None:
    """Return what was thought before the answer in a column, where it stands in another one of a run.

    `own` are the columns of a run of ours; None for what comes from elsewhere.
    """
    column = "reasoning" if name == "completion" else f"{name}_reasoning"
    found = record.get(column) if own is not None and column in own else None
    return found if isinstance(found, str) and found else None
