"""Stages that ask nobody anything: rows in columns, chunk after chunk, and shards of them on disk."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from pairwright.folders.manifest import Manifest
from pairwright.folders.shards import Ended, as_table, commit_ended, together
from pairwright.inputs.candidates import Candidates, PlainRows
from pairwright.inputs.row import Row
from pairwright.records import KEPT, Outcome
from pairwright.stages.stage import Stage, passed_over, with_row
from pairwright.stages.workers import Share
from pairwright.terminal.progress import Meter


@runtime_checkable
class AtOnce(Protocol):
    """A stage that can tell how many rows end at once, where it asks no engine (`roles`)."""

    def end(self, rows: PlainRows, schema: pa.Schema) -> Ended:
        """Return how plain rows end, under the schema of the run."""
        ...


class AtOnceRunner:
    """Works through the open shards of one run of a stage that asks nobody."""

    def __init__(
        self,
        stage: Stage,
        rows: Candidates,
        folder: Path,
        manifest: Manifest,
        share: Share,
        schema: pa.Schema,
    ) -> None:
        assert isinstance(stage, AtOnce)
        self.manifest = manifest
        self._stage, self._end = stage, stage.end
        self._rows, self._folder, self._share, self._schema = rows, folder, share, schema

    def run(self, stopping: Callable[[], bool], meter: Meter) -> Manifest:
        """Finish every open shard, or those that are done once it is `stopping`."""
        done, kept = sum(self.manifest.counts.values()), self.manifest.counts.get(KEPT, 0)
        waiting: list[Ended] = []
        for shard, rows in self._open_parts():
            if stopping():
                break
            waiting.append(self._ended(rows))
            there = sum(part.rows.num_rows for part in waiting)
            size = self.manifest.shard_size
            if there == min(size, self.manifest.items - shard * size):
                whole, waiting = together(waiting), []
                self.manifest = commit_ended(self._folder, self.manifest, shard, whole)
                done, kept = done + there, kept + whole.statuses.count(KEPT)
                meter(done, kept, 0)
        return self.manifest

    def _open_parts(self) -> Iterator[tuple[int, PlainRows | list[Row]]]:
        """Rows of shards that are ours and not finished, in order, and the number of the shard."""
        size, place = self.manifest.shard_size, 0
        for rows in self._rows.chunks():
            count = rows.size if isinstance(rows, PlainRows) else len(rows)
            start = 0
            while start < count:
                shard = (place + start) // size
                end = min(count, (shard + 1) * size - place)
                if shard not in self.manifest.shards and self._share.owns(shard):
                    part = rows.part(start, end - start) if isinstance(rows, PlainRows) else rows[start:end]
                    yield shard, part
                start = end
            place += count

    def _ended(self, rows: PlainRows | list[Row]) -> Ended:
        if isinstance(rows, PlainRows):
            return self._end(rows, self._schema)
        ended = [self._outcome(row) for row in rows]
        columns = [
            with_row(row.row_id, row, outcome.columns) for row, outcome in zip(rows, ended, strict=True)
        ]
        table = as_table(columns, self._schema)
        return Ended(table, [one.status for one in ended], [one.reason for one in ended])

    def _outcome(self, row: Row) -> Outcome:
        """How one row ends; its work is over before it asks anything."""
        work = passed_over(row.problem) if row.problem is not None else self._stage.work(row, 0)
        try:
            next(work)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        raise AssertionError(f"{self._stage.name} asks somebody")
