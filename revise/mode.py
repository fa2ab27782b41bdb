"""The interface of a mode of revision: render the request, read the reply."""

from typing import Any, NamedTuple, Protocol

from pairwright.records import TRUNCATED, Completion, Ending
from pairwright.stages.sample import cut_off
from prompts import Template


class Revised(NamedTuple):
    """A revision as text, and the columns that it brings besides."""

    text: str
    columns: dict[str, Any]


class Mode(Protocol):
    """A way to revise."""

    schema: Any
    """Arrow schema of its pairs."""
    first: Template
    again: Template
    """For the second try: what was wrong with the first."""

    def variables(self, prompt: str, answer: str) -> dict[str, str]:
        """Return the variables of the first template."""
        ...

    def json_schema(self, answer: str) -> dict[str, Any] | None:
        """Return the JSON schema that completions are held to, or None."""
        ...

    def read(self, completion: Completion, answer: str) -> Revised | Ending:
        """Return the revision in a completion, or why there is none."""
        ...


def truncated(completion: Completion) -> Ending:
    return Ending(TRUNCATED, f"the revision was {cut_off(completion)}")
