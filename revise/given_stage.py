"""The stage of `gate`: measures, gates and verifiers of pairs that others made."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from pairwright.engines.thoughts import part_all, read_marks
from pairwright.folders.shards import Ended
from pairwright.inputs.candidates import PlainRows, without_thought
from pairwright.inputs.conversations import of_type
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.inputs.sources import open_source
from pairwright.pairs.columns import in_columns, sides
from pairwright.pairs.minimality import Minimality, measure_all
from pairwright.records import EMPTY, KEPT, Ending, Outcome
from pairwright.schema import PAIR, VERIFIED
from pairwright.stages.asking import Meter
from pairwright.stages.stage import Work
from revise.config import GivenPairsConfig
from revise.gates import Revision, check, user_gates
from revise.given import MADE
from revise.phrases import look_at
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
        outcome = yield from meter.counting(self._alone(row))
        columns = {**outcome.columns, **meter.columns}
        there = {name: value for name, value in columns.items() if name in self._names}
        return outcome.model_copy(update={"columns": there})

    def end(self, rows: PlainRows, schema: pa.Schema) -> Ended:
        """Do what `work` does of pairs that no verifier is asked about, of many at once."""
        names, columns = zip(*rows.plain.answers.items(), strict=True)
        parted = [part_all(column.texts, self._marks) for column in columns]
        chosen, rejected = ([found.answer for found in side] for side in parted)
        measures, endings = self._gated(chosen, rejected, names)
        thoughts = [pa.array([found.thought or None for found in side], pa.string()) for side in parted]
        made = {
            "row_id": pa.array(rows.row_ids, pa.string()),
            "prompt_id": pa.array(rows.prompt_ids, pa.string()),
            "prompt": rows.plain.prompt.column,
            "chosen": columns[0].saying(chosen),
            "rejected": columns[1].saying(rejected),
            "chosen_model": rows.models(names[0]),
            "rejected_model": rows.models(names[1]),
            "chosen_reasoning": thoughts[0],
            "rejected_reasoning": thoughts[1],
            "attempts": pa.array([None if found is None else 0 for found in measures], pa.int32()),
            **in_columns(measures),
        }
        for name, value in {"source": SOURCE, **Meter("verifier").columns}.items():
            made[name] = pa.array([value] * rows.size, PAIR.field(name).type)
        arrays = [
            (of_type(made[f.name], f.type) if f.name in made else pa.nulls(rows.size, f.type))
            if f.name in self._names
            else rows.carried(f.name, f.type)
            for f in schema
        ]
        statuses, reasons = zip(*endings, strict=True)
        return Ended(pa.Table.from_arrays(arrays, schema=schema), statuses, reasons)

    def _alone(self, row: Row) -> Work:
        chosen, rejected = (without_thought(candidate, self._marks) for candidate in row.candidates)
        names = [side.column or "" for side in (chosen, rejected)]
        [measures], [ending] = self._gated([chosen.text], [rejected.text], names)
        columns = sides(chosen, rejected) | {"source": SOURCE}
        if measures is not None:
            columns |= measures._asdict() | {"attempts": 0}
        if ending.status == KEPT and self._verification is not None:
            texts = (rejected.text, chosen.text) if self._improve else (chosen.text, rejected.text)
            ending, found = yield from self._verification.revision(row, *texts)
            columns |= found
        return Outcome(status=ending.status, reason=ending.reason, columns=columns)

    def _gated(
        self, chosen: Sequence[str], rejected: Sequence[str], names: Sequence[str]
    ) -> tuple[list[Minimality | None], list[Ending]]:
        """The measures of pairs, none of those with an empty side, and what the gates say of each."""
        originals, revisions = (rejected, chosen) if self._improve else (chosen, rejected)
        found = measure_all(chosen, rejected, original_is_chosen=not self._improve)
        look_at([*chosen, *rejected])
        given = map(Revision, originals, revisions, found)
        measures: list[Minimality | None] = []
        endings: list[Ending] = []
        for *pair, revision in zip(chosen, rejected, given, strict=True):
            if all(map(str.strip, pair)):
                measures.append(revision.measures)
                endings.append(check(revision, self._config, self._user_gates))
            else:
                empty = next(name for name, text in zip(names, pair, strict=True) if not text.strip())
                measures.append(None)
                endings.append(Ending(EMPTY, f"`{empty}` holds no answer"))
        return measures, endings
