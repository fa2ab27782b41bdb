"""What a stage is, and the settings that every stage has."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pairwright.records import BAD_ROW, Completion, Outcome, Request, stored

if TYPE_CHECKING:  # help pages need the settings, and should not wait for Arrow
    import pyarrow as pa

    from pairwright.inputs.row import Row
    from pairwright.inputs.rows import Input


Work = Generator[list[Request], list[Completion], Outcome]
"""The life of one row: asks for completions (all of a list at once), is sent them in the same order,
may ask again, and returns how the row ended. It has no effects, so a resumed run plays it again
with completions from the journal and comes to the same place."""


def passed_over(problem: str) -> Work:
    """Begin the work on a row that cannot be read, which is over at once."""
    yield from ()
    return Outcome(status=BAD_ROW, reason=problem)


def with_row(row_id: str, row: "Row", columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns of a stage with those of the row that they came of."""
    own = {"row_id": row_id, "prompt_id": row.prompt_id, "prompt": stored(row.prompt)}
    return {**own, **row.carried, **columns}


class Stage(Protocol):
    """One kind of work on rows, apart from how rows are read, sent and stored."""

    name: str
    schema: "pa.Schema"
    """Columns of the rows it makes; input columns that it does not name are carried through."""
    templates: Mapping[str, str]
    """Text of every template it renders, by name."""
    roles: Mapping[str, str]
    """The engine spec behind each role it asks."""
    samples: int
    """Items of work that each input row becomes."""

    def check(self, rows: "Input") -> None:
        """Raise `UsageError` when these rows cannot be worked on."""
        ...

    def work(self, row: "Row", sample: int) -> Work:
        """Begin one item. `sample` counts from 0 within the input row."""
        ...


@runtime_checkable
class InRounds(Protocol):
    """A stage whose shards are rounds: what one of them asks depends on the rows of those before it."""

    def begin_round(self, before: "Iterable[pa.Table]", items_left: int) -> None:
        """Begin a round; `before` are the kept rows of every earlier one, in order."""
        ...


@runtime_checkable
class Completes(Protocol):
    """A stage that finds some columns for many rows at once, which takes less time than for each alone."""

    def complete(self, rows: "Sequence[dict[str, Any]]") -> None:
        """Add the columns to all rows of a shard before it is written."""
        ...


@runtime_checkable
class Foresees(Protocol):
    """A stage that tries again where an answer is not good, as stand-ins for answers are not.

    It asks more for rows whose first answers are good.
    """

    def foreseen(self, row: "Row") -> list[Request]:
        """Return what more it asks for such a row."""
        ...


@runtime_checkable
class ReadsLogprobs(Protocol):
    """A stage some of whose engines must give log-probabilities."""

    reads_logprobs: Sequence[str]
    """The roles of these engines."""
