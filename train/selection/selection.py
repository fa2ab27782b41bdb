"""`pairwright select`: pairs measured, rules applied, and an ordinary run folder of the result."""

import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pairwright.errors import UsageError
from pairwright.folders.durable import write_durably
from pairwright.folders.manifest import MANIFEST, Manifest, load_manifest
from pairwright.folders.ownership import holds_numbers
from pairwright.folders.shards import Ended, check_run_folder
from pairwright.inputs.columns import listed
from pairwright.inputs.source import CHUNK
from pairwright.models.names import model_identity as named_identity
from pairwright.models.remote_code import trusting
from pairwright.records import KEPT, Ending, content_hash
from pairwright.sift.folder import write_run
from pairwright.sift.scored import ScoredRows, are_scored
from pairwright.sift.whole import WholeRows
from pairwright.terminal.text import say
from train.selection.config import SelectConfig
from train.selection.explain import explained
from train.selection.measures import Floats
from train.selection.quotas import Quotas, ranking
from train.selection.record import SELECTION, RuleRecord, SelectionRecord, record_of
from train.selection.rules import bands, endings_by_bands
from train.selection.table import COUNTED, PairTable, measured_columns, read_table

WEIGHT = "weight"
Places = NDArray[np.int64]


class Selection:
    """A selection: what is read, the ending of each pair, and the order in which they are written."""

    def __init__(self, config: SelectConfig, rows: WholeRows | ScoredRows) -> None:
        self._config = config
        self._rows = rows

    @cached_property
    def table(self) -> PairTable:
        """The pairs and their numbers."""
        return read_table(self._config, self._rows)

    @cached_property
    def _decided(self) -> tuple[list[Ending], list[float], list[RuleRecord]]:
        """The ending and the weight of every pair, and what each rule took.

        Raises `UsageError`, naming the rule that takes the most, where none is kept.
        """
        config, table = self._config, self.table
        given = list(bands(config, table.numbers))
        found, alone = endings_by_bands(given, table.numbers, len(table.places))
        weights = [1.0] * len(found)
        if config.weight is not None:
            weights = [1.0 if broken is None else config.weight for broken in found]
            found = [None] * len(found)
        rank_by = config.rank_by or config.order_by
        ranked = [p for p in ranking(rank_by, table.numbers, len(found)) if found[p] is None]
        wanted = dict.fromkeys(config.caps, "--max_per")
        if config.shares is not None:
            wanted[config.mixture[0]] = "--shares"
        if config.stratify is not None:
            wanted[config.stratify] = "--stratify"
        quotas = Quotas(config, {c: table.labels(c, setting) for c, setting in wanted.items()})
        quotas.apply(ranked, table.pairs, table.numbers.get("tokens"))
        endings = [v or quotas.endings.get(p) or Ending(KEPT) for p, v in enumerate(found)]
        limits = {band.flag: band for band in given}
        rules = [
            RuleRecord(rule=flag, by=limits[flag].column, limit=limits[flag].limit, taken=taken)
            for flag, taken in alone.items()
        ] + [RuleRecord(rule=flag, by="", limit=None, taken=taken) for flag, taken in quotas.taken.items()]
        if all(ending.status != KEPT for ending in endings):
            most = max(rules, key=lambda rule: rule.taken)
            raise UsageError(
                f"the rules leave none of {len(endings):,} pairs; {most.rule} removes most, {most.taken:,}"
            )
        return endings, weights, rules

    @property
    def kept(self) -> list[int]:
        """Numbers of the pairs that are kept, in the order in which they are written."""
        endings, _, _ = self._decided
        order = ranking(self._config.order_by, self.table.numbers, len(endings))
        return [number for number in order if endings[number].status == KEPT]

    def record(self) -> SelectionRecord:
        """Return the record of the selection's rules."""
        _, weights, rules = self._decided
        kept = self.kept
        return record_of(self.table, kept, rules, sum(weights[number] != 1.0 for number in kept))

    def ended(self) -> Iterator[Ended]:
        """Yield every row: first the kept ones, then the others in input order."""
        write_durably(Path(self._config.out) / SELECTION, self.record().model_dump_json(indent=1).encode())
        table, (endings, weights, _) = self.table, self._decided
        number = np.full(len(table.rows), -1)
        number[table.places] = np.arange(len(table.places))
        first = np.array(table.places)[self.kept]
        order = np.r_[first, np.setdiff1d(np.arange(len(table.rows)), first)]
        found = {name: table.numbers[name] for name in table.measured}
        if self._config.weight is not None:
            found[WEIGHT] = np.array(weights)
        for start in range(0, len(order), CHUNK):
            places = order[start : start + CHUNK]
            numbers = number[places]
            how = [
                table.unfit[place] if pair < 0 else endings[pair]
                for place, pair in zip(places.tolist(), numbers.tolist(), strict=True)
            ]
            rows = self._with_numbers(table.rows.take(places.tolist()).table, numbers, found)
            yield Ended(rows, [ending.status for ending in how], [ending.reason for ending in how])

    def _with_numbers(self, rows: pa.Table, numbers: Places, found: Mapping[str, Floats]) -> pa.Table:
        """Rows with what was found of them; `numbers` are those of their pairs, -1 where there is none."""
        schema, given = self.schema(), {new: old for old, new in self._carried.items()}
        mine = [n for n in rows.schema.names if n not in self._carried]
        columns = {n: rows[n] for n in mine} | {new: rows[old] for new, old in given.items()}
        for name, values_P in found.items():
            kind = schema.field(name).type
            before = columns.get(name, pa.nulls(rows.num_rows, kind))
            values = pa.array(values_P[numbers], from_pandas=True).cast(kind)
            columns[name] = pc.if_else(pa.array(numbers >= 0), values, before)
        nothing = {f.name: pa.nulls(rows.num_rows, f.type) for f in schema if f.name not in columns}
        return pa.table([(columns | nothing)[name] for name in schema.names], schema=schema)

    def replaced(self) -> list[str]:
        """Return columns of the input in whose place what is found now is written."""
        there = set(self._rows.schema.names) - self._carried.keys()
        return [name for name in self._added() if name in there]

    @property
    def carried(self) -> list[str]:
        """Columns of the input that are no numbers of a selection, and the names they are carried under."""
        return [f"`{name}` as `{new}`" for name, new in self._carried.items()]

    @cached_property
    def _carried(self) -> dict[str, str]:
        kinds, there = self._added(), {field.name: field.type for field in self._rows.schema}
        return {name: f"input_{name}" for name in kinds if name in there and there[name] != kinds[name]}

    def schema(self) -> pa.Schema:
        """Return the columns of the input, then those that are added."""
        kinds, named = self._added(), self._carried
        fields = [field.with_name(named.get(field.name, field.name)) for field in self._rows.schema]
        return pa.schema([*(field for field in fields if field.name not in kinds), *kinds.items()])

    def _added(self) -> dict[str, pa.DataType]:
        """Names and types of the columns that are added."""
        there = self._rows.schema
        has_margin = "margin" in there.names and holds_numbers(there.field("margin").type)
        measured = measured_columns(self._config, has_margin)
        names = (*measured, WEIGHT) if self._config.weight is not None else measured
        return {name: pa.int32() if name in COUNTED else pa.float64() for name in names}


def select(config: SelectConfig) -> Manifest | None:
    """Write the pairs that the rules keep, and all others with their reasons; None after `explain`.

    Raises `UsageError`, before anything is written, for rules that go by what is not there, or that
    leave nothing.
    """
    with trusting(config.trust_remote_code):
        return _select(config)


def _select(config: SelectConfig) -> Manifest | None:
    if config.explain:
        print(explained(config))
        return None
    if not config.inputs or not config.out:
        raise UsageError("name the pairs, and the folder to write: pairwright select PAIRS --out RUN")
    folder, started = Path(config.out), time.monotonic()
    check_run_folder(folder)
    rows = rows_of(config)
    selection = Selection(config, rows)
    if carried := selection.carried:
        say(f"columns of the input that are carried under others: {', '.join(carried)}")
    if anew := selection.replaced():
        say(f"columns of the input that are written anew: {listed(anew)}")
    if not _finished(folder):
        _ = selection.kept  # what is wrong shows before anything is written
    return write_run(
        "select",
        config,
        folder,
        rows,
        selection.ended(),
        rows.info.rows,
        _also(config),
        started,
        _models(config),
    )


def rows_of(config: SelectConfig) -> WholeRows | ScoredRows:
    """Return the given pairs, or those made of the given scored answers."""
    names = [config.split_of(name) for name in config.inputs]
    if are_scored(names):
        return ScoredRows(names, config.pairs, config.limit, config.skip_bad_rows)
    if config.pairs != "best_worst":
        raise UsageError(
            f"--pairs {config.pairs}: {', '.join(names)} holds pairs already, not scored answers"
        )
    return config.rows


def _also(config: SelectConfig) -> dict[str, str]:
    """What decides about pairs besides the settings: models and tokenizers, wherever they lie."""
    found: dict[str, str] = {}
    models = {"model": config.model, "ref_model": config.ref_model}
    if any(models.values()):
        from train.models.language import model_identity

        found |= {name: model_identity(model) for name, model in models.items() if model is not None}
    if (name := config.model or config.tokenizer) is not None:
        from pairwright.models.loading import load_tokenizer

        tokenizer = load_tokenizer(name)
        found["tokenizer"] = content_hash([tokenizer.get_vocab(), str(tokenizer.chat_template)])
    return found


def _models(config: SelectConfig) -> dict[str, str]:
    """The models that pairs are measured under, by role, as the records of other runs name them."""
    asked = {"model": config.model, "reference": config.ref_model}
    dtype = "bfloat16" if config.bf16 else "float32"
    return {role: named_identity(name, dtype) for role, name in asked.items() if name is not None}


def _finished(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and load_manifest(folder).complete
