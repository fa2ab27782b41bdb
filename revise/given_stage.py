"""The stage of `gate`: measures, gates and verifiers of pairs that others made."""

from collections.abc import Mapping

import pyarrow as pa

from pairwright.engines.thoughts import read_marks
from pairwright.inputs.candidates import without_thought
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.inputs.sources import open_source
from pairwright.pairs.columns import sides
from pairwright.pairs.minimality import measure
from pairwright.records import EMPTY, KEPT, Outcome
from pairwright.schema import PAIR, VERIFIED
from pairwright.stages.asking import Meter
from pairwright.stages.stage import Work
from revise.config import GivenPairsConfig
from revise.gates import Revision, check, user_gates
from revise.given import MADE
from revise.verification import Verification

SOURCE = "given"


class GateStage:
    """One item is one pair: an answer and its revision."""

    name = "gate"
    samples = 1

    def __init__(self, config: GivenPairsConfig) -> None:
        self._config = config
        self._improve = config.direction == "improve"
        self._user_gates = user_gates(config)
        self._marks = read_marks(config.thinking_tags)
        self._verification = None
        self.roles: Mapping[str, str] = {}
        self.templates: Mapping[str, str] = {}
        own = open_source(config.source).own
        lineage = [f for f in PAIR if f.name not in MADE and own is not None and f.name in own]
        self.schema = pa.schema([field for field in PAIR if field not in lineage])
        if config.verify is not None:
            self._verification = Verification(config, improve=self._improve, allow_code=config.allow_code)
            self.schema = pa.schema([*self.schema, *VERIFIED])
            self.roles = self._verification.verifiers.roles
            self.templates = self._verification.verifiers.templates
        self._names = frozenset(self.schema.names)

    def check(self, rows: Input) -> None:
        """Raise `UsageError` when the rows lack a column that a verifier wants."""
        if self._verification is not None:
            self._verification.verifiers.check(rows)

    def work(self, row: Row, sample: int) -> Work:
        """Measure a pair, and apply the gates and the verifiers to it."""
        meter = Meter("verifier")
        outcome = yield from meter.counting(self._gated(row))
        columns = {**outcome.columns, **meter.columns}
        there = {name: value for name, value in columns.items() if name in self._names}
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
        ending = check(Revision(original.text, revision.text, measures), self._config, self._user_gates)
        if ending.status == KEPT and self._verification is not None:
            ending, found = yield from self._verification.revision(row, original.text, revision.text)
            columns |= found
        return Outcome(status=ending.status, reason=ending.reason, columns=columns)
