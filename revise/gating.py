"""The life of a given pair: measures, gates, verifiers."""

from collections.abc import Mapping

import pyarrow as pa

from pairwright.engines.thoughts import read_marks
from pairwright.errors import UsageError
from pairwright.folders.roles import RESERVED
from pairwright.inputs.candidates import Candidates, without_thought
from pairwright.inputs.columns import Columns, listed
from pairwright.inputs.rows import Candidate, Input, Parsed, Row
from pairwright.inputs.source import Record
from pairwright.inputs.sources import open_source
from pairwright.pairs.columns import sides
from pairwright.pairs.minimality import measure
from pairwright.records import EMPTY, KEPT, Outcome
from pairwright.schema import MEASURES, PAIR, VERIFIED
from pairwright.stages.asking import Meter
from pairwright.stages.stage import Work
from revise.config import GivenPairsConfig
from revise.gates import Revision, check, own_gates
from revise.verification import Verification

SOURCE = "given"
_MADE = frozenset(
    {"row_id", "prompt_id", "prompt", "chosen", "rejected", "prompt_tokens", "completion_tokens"}
    | {name for name, _ in (*MEASURES, *VERIFIED)}
)
"""What is made anew of every pair; the rest of a run's columns stays as that run wrote it."""
_SIDES = ("chosen", "rejected")
_ALSO_CALLED = {"chosen": ("edited",), "rejected": ("draft",)}
"""Other names of the two sides: what users of a product made of what it wrote."""


def _by_convention(side: str, names: list[str]) -> str:
    """The column of a side by convention; the side's own name where there is none."""
    return next((name for name in (side, *_ALSO_CALLED[side]) if name in names), side)


class GivenPairs(Candidates):
    """Pairs as rows of work: the first candidate is chosen, the second rejected.

    A run's own columns are carried as they are, but for those made anew.
    """

    def _chosen(self, names: list[str], wanted: Columns, answers: bool) -> tuple[Columns, list[str]]:
        asked = dict(zip(_SIDES, wanted.answers, strict=True))
        found = {side: asked[side] or _by_convention(side, names) for side in _SIDES}
        for side, name in found.items():
            if names and name not in names:
                raise UsageError(
                    f"{self._path}: no column `{name}` (--{side}_column); its columns are {listed(names)}"
                )
        columns, rest = super()._chosen(names, wanted._replace(answers=tuple(found.values())), answers)
        own = self._source.own or frozenset()
        return columns, [name for name in rest if name not in own & _MADE]

    def _ours(self) -> frozenset[str]:
        return RESERVED if self._source.own is None else frozenset()

    def _wide(self, where: str, record: Record) -> Parsed:
        """A row with both sides; one that says nothing is kept, so that its row is counted."""
        parsed = super()._wide(where, record)
        given = {candidate.column: candidate for candidate in parsed.candidates}
        both = tuple(given.get(name, Candidate("", column=name)) for name in self._columns.answers)
        return parsed._replace(candidates=both)


class GateStage:
    """One item is one pair: an answer, and what somebody made of it."""

    name = "gate"
    samples = 1

    def __init__(self, config: GivenPairsConfig) -> None:
        self._config = config
        self._improve = config.direction == "improve"
        self._own_gates = own_gates(config)
        self._marks = read_marks(config.thinking_tags)
        self._verification = None
        self.roles: Mapping[str, str] = {}
        self.templates: Mapping[str, str] = {}
        own = open_source(config.source).own
        lineage = [f for f in PAIR if f.name not in _MADE and own is not None and f.name in own]
        self.schema = pa.schema([field for field in PAIR if field not in lineage])
        if config.verify is not None:
            self._verification = Verification(config, improve=self._improve, allow_code=config.allow_code)
            self.schema = pa.schema([*self.schema, *VERIFIED])
            self.roles = self._verification.verifiers.roles
            self.templates = self._verification.verifiers.templates

    def check(self, rows: Input) -> None:
        """Raise `UsageError` when the rows lack a column that a verifier wants."""
        if self._verification is not None:
            self._verification.verifiers.check(rows)

    def work(self, row: Row, sample: int) -> Work:
        """Measure a pair, and let it pass the gates and the verifiers."""
        meter = Meter("verifier")
        outcome = yield from meter.counting(self._gated(row))
        columns = {**outcome.columns, **meter.columns}
        there = {name: value for name, value in columns.items() if name in self.schema.names}
        return outcome.model_copy(update={"columns": there})

    def _gated(self, row: Row) -> Work:
        chosen, rejected = (without_thought(candidate, self._marks) for candidate in row.candidates)
        empty = next((side.column for side in (chosen, rejected) if not side.text.strip()), None)
        if empty is not None:
            columns = sides(chosen, rejected) | {"source": SOURCE}
            return Outcome(status=EMPTY, reason=f"`{empty}` holds no answer", columns=columns)
        original, revision = (rejected, chosen) if self._improve else (chosen, rejected)
        measures = measure(chosen.text, rejected.text, original=original.text)
        columns = sides(chosen, rejected) | measures._asdict() | {"source": SOURCE, "attempts": 0}
        ending = check(Revision(original.text, revision.text, measures), self._config, self._own_gates)
        if ending.status == KEPT and self._verification is not None:
            ending, found = yield from self._verification.revision(row, original.text, revision.text)
            columns |= found
        return Outcome(status=ending.status, reason=ending.reason, columns=columns)
