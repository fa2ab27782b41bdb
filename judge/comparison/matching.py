"""Two sets of answers matched by prompt: each prompt once, with one answer of either side."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from pydantic import Field

from pairwright.engines.kinds import is_engine
from pairwright.errors import UsageError
from pairwright.inputs.columns import Columns
from pairwright.inputs.names import is_here
from pairwright.inputs.row import Candidate, Parsed, Row
from pairwright.inputs.rows import Input
from pairwright.records import Record, content_hash, prompt_hash

_SHOWN = 3


class Side(NamedTuple):
    """One of those that are compared."""

    name: str
    """`a`, `b` and so on."""
    spec: str
    """An engine, or where its answers stand, as the user named it."""

    @property
    def engine(self) -> bool:
        """Whether its answers are still to be sampled."""
        return is_engine(self.spec)


class Mismatch(Record):
    """What does not match between prompts and answers: how many, and the first few of them."""

    doubled_prompts: int = 0
    missing_a: int = 0
    """Prompts to which a has no answer."""
    missing_b: int = 0
    doubled_a: int = 0
    """Further answers of a to a prompt; the first one counts."""
    doubled_b: int = 0
    extra_a: int = 0
    """Answers of a to prompts that nobody asked about."""
    extra_b: int = 0
    examples: dict[str, list[str]] = Field(default_factory=dict)
    """The first prompts of each kind."""


_SAID = {
    "doubled_prompts": "prompts that stand there once already (each counts once)",
    "doubled": "further answers of {} to prompts that it has answered (the first one counts)",
    "missing": "prompts to which {} has no answer",
    "extra": "answers of {} to prompts that are not compared",
}


def unmatched_in_words(kind: str, count: int, example: str) -> str:
    """Return a sentence about one kind of mismatch, such as `missing_a`, with an example."""
    what, _, side = kind.rpartition("_")
    said = _SAID.get(kind) or _SAID[what].format(side)
    return f"{said}: {count:,}, such as {example[:60]!r}"


class Answers:
    """The answers of a side that stand in a file or a run folder, by prompt."""

    def __init__(self, side: Side, prompts: str | None, prompt_column: str | None) -> None:
        path, column = _located(side, prompts)
        rows = Input(path, Columns(prompt_column, column), None)
        if not rows.has_answers:
            raise UsageError(f"{path}: no answers in it; name their column as {path}:COLUMN")
        self.path = path
        self.besides = frozenset(rows.columns)
        """Columns that are neither prompt nor answer."""
        self.sha256 = content_hash([rows.info.sha256, column])
        self.first: dict[str, Candidate] = {}
        self.doubled: list[str] = []
        self.prompts: dict[str, str] = {}
        for row in rows:
            if row.answer is None:
                continue
            if row.prompt_id in self.first:
                self.doubled.append(row.prompt[-1].content)
                continue
            model = row.carried.get("completion_model")
            behind = model if isinstance(model, str) and model else side.spec
            self.first[row.prompt_id] = Candidate(row.answer, behind, side.name, row.reasoning)
            self.prompts[row.prompt_id] = row.prompt[-1].content


class Matched(Input):
    """Prompts, each once, with the answers that the sides have given to it. `limit` counts prompts.

    With a `seed` they come in an order that is drawn from it, whatever order they stand in.
    """

    limit_counts_rows = False

    def __init__(
        self,
        source: str,
        columns: Columns,
        limit: int | None,
        reserved: Iterable[str] = (),
        *,
        given: Iterable[Answers] = (),
        seed: int | None = None,
        skip: int = 0,
        keep: Collection[str] = (),
    ) -> None:
        self._given = list(given)
        self._seed = seed
        super().__init__(source, columns, limit, reserved, answers=False, skip=skip, keep=keep)
        besides = [answers.besides for answers in self._given if answers.path == source]
        self.renamed = {n: new for n, new in self.renamed.items() if all(n in names for names in besides)}

    def _parsed(self) -> Iterator[Parsed]:
        return islice(self._ordered(), self._limit)

    def _ordered(self) -> Iterator[Parsed]:
        if self._seed is None:
            return self._once()
        drawn = lambda row: content_hash([self._seed, row.problem, prompt_hash(row.prompt)])  # noqa: E731
        return iter(sorted(self._once(), key=drawn))

    def _once(self) -> Iterator[Parsed]:
        """The first row of each prompt. The others are remembered by their text."""
        seen: set[str] = set()
        self._doubled: list[str] = []
        for row in self._tried(self._records(), self._one):
            key = prompt_hash(row.prompt)
            if row.problem is None and key in seen:
                self._doubled.append(row.prompt[-1].content)
                continue
            seen.add(key)
            yield row._replace(
                answer=None, candidates=tuple(a.first[key] for a in self._given if key in a.first)
            )

    def _row(self, parsed: Parsed, occurrence: int) -> Row:
        key = prompt_hash(parsed.prompt)
        row_id = content_hash([key, [(c.column, c.text) for c in parsed.candidates]])[:16]
        return Row(row_id, key, occurrence, parsed.prompt, None, parsed.carried, parsed.candidates)

    def mismatch(self, sides: dict[str, Answers]) -> Mismatch:
        """Return how many prompts and answers do not match, and examples of them."""
        found = self.unmatched(sides)
        examples = {kind: some[:_SHOWN] for kind, some in found.items() if some}
        return Mismatch(**{kind: len(some) for kind, some in found.items()}, examples=examples)

    def unmatched(self, sides: dict[str, Answers]) -> dict[str, list[str]]:
        """Return what is missing, doubled or left over, by kind and side (`missing_a`).

        Where the prompts are those of a side, its doubled answers are no doubled prompts besides; and
        with a limit, answers to the prompts behind it are not left over.
        """
        once = (row.prompt for row in self._ordered() if row.problem is None)
        everything = {prompt_hash(prompt): prompt[-1].content for prompt in once}
        texts = dict(islice(everything.items(), self._limit))
        own = any(answers.path == self._path for answers in sides.values())
        found = {"doubled_prompts": [] if own else self._doubled}
        for name, answers in sides.items():
            found[f"missing_{name}"] = [t for key, t in texts.items() if key not in answers.first]
            found[f"doubled_{name}"] = answers.doubled
            found[f"extra_{name}"] = [t for key, t in answers.prompts.items() if key not in everything]
        return found


def _located(side: Side, prompts: str | None) -> tuple[str, str | None]:
    """Path and column of a side's answers: PATH, PATH:COLUMN, or a column of the prompts."""
    if is_here(side.spec):
        return side.spec, None
    path, colon, column = side.spec.rpartition(":")
    if colon and is_here(path):
        return path, column
    if prompts is not None and "/" not in side.spec and "." not in side.spec:
        return prompts, side.spec
    raise UsageError(
        f"{side.spec}: neither an engine nor a file or run folder of answers; write hf:MODEL, PATH, "
        "PATH:COLUMN, or a column of --prompts"
    )
