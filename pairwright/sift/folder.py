"""Filtered rows as an ordinary run folder."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import pyarrow as pa
from pydantic import Field

from pairwright.config import OPERATIONAL, POSITIONAL, Config, Kind
from pairwright.folders.durable import require_space
from pairwright.folders.lock import FolderLock
from pairwright.folders.manifest import InputInfo, Manifest
from pairwright.folders.shards import (
    Ended,
    as_table,
    check_run_folder,
    commit_ended,
    continue_run,
    finished_for_reading,
    together,
)
from pairwright.folders.versions import versions
from pairwright.inputs.config import SourceConfig
from pairwright.inputs.source import CHUNK
from pairwright.records import BAD_ROW, KEPT, Ending, Outcome
from pairwright.reports.card import write_card
from pairwright.sift.whole import Block, WholeRow, WholeRows

_BYTES_A_ROW = 4096

Sieve = Callable[[Block], Sequence[Ending]]
"""What becomes of rows: the status of each, and the reason when it is not kept. Every row comes once, in
order."""


class PlacesConfig(Config):
    """Which rows, and into which folder."""

    group: ClassVar[str] = "Rows and folder"

    inputs: tuple[str, ...] = Field(min_length=1, json_schema_extra=POSITIONAL)
    """Rows: run folders, JSONL or Parquet files, or data sets of the hub; their kept rows count."""
    out: str = Field(json_schema_extra=OPERATIONAL)
    """Run folder to write."""


class SiftConfig(SourceConfig, PlacesConfig):
    """Which rows to sift, and how they are read."""

    group: ClassVar[str] = "Rows and folder"

    limit: int | None = Field(default=None, gt=0)
    """Take the first N rows only."""
    skip_bad_rows: int = Field(default=0, ge=0, json_schema_extra=OPERATIONAL)
    """Pass over up to N rows that cannot be read; each is in `dropped/`, with what is wrong with it."""
    shard_size: int = Field(default=1000, gt=0, json_schema_extra=OPERATIONAL)
    """Rows of work in a shard."""
    fresh: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Start the folder over."""

    @property
    def rows(self) -> WholeRows:
        """What is read."""
        return WholeRows(tuple(map(self.split_of, self.inputs)), self.limit, self.skip_bad_rows)


def sift(stage: str, config: SiftConfig, sieve: Sieve, **also: str) -> Manifest:
    """Sift every row into `config.out`. A folder that this very command finished is left as it is.

    `also` names what decides about rows besides the settings, such as the hash of a file.
    Raises `UsageError` when the folder belongs to something else.
    """
    check_run_folder(Path(config.out))
    rows = config.rows
    ended = (sifted(block, sieve) for block in rows.blocks())
    return write_run(stage, config, Path(config.out), rows, ended, rows.info.rows, also)


class Settings(Protocol):
    """Settings of a command that writes a run without asking an engine."""

    @property
    def shard_size(self) -> int: ...
    @property
    def fresh(self) -> bool: ...
    def model_dump(self, *, mode: str) -> dict[str, Any]: ...
    def of_kind(self, kind: Kind) -> dict[str, Any]: ...


class Read(Protocol):
    """The input of a run: its name, hash and number of rows, and their columns."""

    @property
    def info(self) -> InputInfo: ...
    @property
    def schema(self) -> pa.Schema: ...


def write_run(
    stage: str,
    config: Settings,
    folder: Path,
    rows: Read,
    ended: Iterable[Ended],
    items: int,
    also: Mapping[str, str] = MappingProxyType({}),
    started: float | None = None,
    models: Mapping[str, str] = MappingProxyType({}),
) -> Manifest:
    """Write rows, `items` of them, as the run folder of a stage that asks no engine.

    Of a folder that is finished none is asked for.
    `models` are those that looked at the rows: name and revision by role.
    The work began when `time.monotonic()` was `started`; with the writing, if that is not given.
    """
    started = time.monotonic() if started is None else started
    planned = Manifest(
        stage=stage,
        versions=versions(),
        config=config.model_dump(mode="json"),
        semantic=config.of_kind("semantic") | {"input": rows.info.sha256, **also},
        gate=config.of_kind("gate"),
        engines=dict(models),
        input=InputInfo(path=rows.info.path, sha256=rows.info.sha256, rows=rows.info.rows),
        items=items,
        shard_size=config.shard_size,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if not folder.exists():
        require_space(folder, items * _BYTES_A_ROW)
    if not config.fresh and (there := finished_for_reading(folder, planned)):
        return there
    with FolderLock(folder):
        manifest = continue_run(folder, planned, fresh=config.fresh)
        seconds = manifest.seconds
        if not manifest.items or sum(manifest.counts.values()) < manifest.items:
            for index, shard in enumerate(_shards(ended, manifest.shard_size)):
                manifest = commit_ended(folder, manifest, index, shard)
            seconds = round(time.monotonic() - started, 3)
        manifest = manifest.model_copy(update={"complete": True, "seconds": seconds})
        manifest.save(folder)
        write_card(folder, manifest)
    return manifest


def sifted(block: Block, sieve: Sieve) -> Ended:
    """Return how rows end, those that could not be read among them."""
    endings = sieve(block.sound())
    if block.problems:
        sound = iter(endings)
        endings = [
            Ending(BAD_ROW, block.problems[n]) if n in block.problems else next(sound)
            for n in range(block.table.num_rows)
        ]
    return Ended(block.table, [ending.status for ending in endings], [ending.reason for ending in endings])


def each(one: Callable[[WholeRow], Ending]) -> Sieve:
    """Return a filter that looks at one row after the other."""
    return lambda block: [one(row) for row in block.rows()]


def keep(block: Block) -> Sequence[Ending]:
    """Keep every row: a filter that drops none."""
    return [Ending(KEPT)] * block.table.num_rows


def in_columns(outcomes: Iterable[Outcome], schema: pa.Schema) -> Iterator[Ended]:
    """Yield rows that ended one by one, in columns."""
    remaining = iter(outcomes)
    while some := list(islice(remaining, CHUNK)):
        table = as_table([outcome.columns for outcome in some], schema)
        yield Ended(table, [one.status for one in some], [one.reason for one in some])


def _shards(ended: Iterable[Ended], size: int) -> Iterator[Ended]:
    """The same rows, `size` at a time."""
    waiting: list[Ended] = []
    count = 0
    for some in ended:
        start = 0
        while start < some.rows.num_rows:
            part = some.part(start, size - count)
            waiting.append(part)
            start, count = start + part.rows.num_rows, count + part.rows.num_rows
            if count == size:
                yield together(waiting)
                waiting, count = [], 0
    if waiting:
        yield together(waiting)
