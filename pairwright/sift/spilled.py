"""Rows that wait on disk, and are read again by their places."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from pairwright.inputs.source import CHUNK
from pairwright.sift.on_disk import encoded, nameless_file, writing
from pairwright.sift.whole import Block

_BATCH = 64
"""Rows that are read from disk together: few, since any order may be asked for."""


class Spilled:
    """Rows in a file without a name, which is gone with its reader; eight bytes of a batch stay in memory.

    `problems` of rows that could not be read are few, and stay.
    """

    def __init__(self, blocks: Iterable[Block], schema: pa.Schema) -> None:
        self._file = nameless_file()
        self.schema = schema
        self.problems: dict[int, str] = {}
        self._size = 0
        starts = []
        kept = pa.schema([pa.field("where", pa.string()), *schema])
        writer = pa.ipc.new_file(self._file, kept)
        for block in blocks:
            self.problems |= {self._size + place: why for place, why in block.problems.items()}
            wheres = pa.array(list(map(encoded, block.wheres)), pa.binary()).cast(pa.string())
            table = pa.Table.from_arrays([wheres, *block.table], schema=kept)
            for batch in table.combine_chunks().to_batches(_BATCH):
                starts.append(self._size)
                with writing():
                    writer.write_batch(batch)
                self._size += batch.num_rows
        with writing():
            writer.close()
        self._starts = np.array(starts, np.int64)

    def __len__(self) -> int:
        return self._size

    def blocks(self) -> Iterator[Block]:
        """Yield all rows, in order."""
        for start in range(0, self._size, CHUNK):
            yield self.take(range(start, min(start + CHUNK, self._size)))

    def column(self, name: str) -> list[Any]:
        """Return the values of a column, in order."""
        place = self.schema.get_field_index(name) + 1
        reader = self._open(pa.ipc.IpcReadOptions(included_fields=[place]))
        batches = map(reader.get_batch, range(reader.num_record_batches))
        return [value for batch in batches for value in batch.column(0).to_pylist()]

    def take(self, places: Sequence[int]) -> Block:
        """Return the rows at some places, in the order of these."""
        asked = np.asarray(places, np.int64)
        which = np.searchsorted(self._starts, asked, "right") - 1
        order = np.argsort(which, kind="stable")
        batches, firsts = np.unique(which[order], return_index=True)
        within = np.split((asked - self._starts[which])[order], firsts[1:])
        parts = [
            self._reader.get_batch(int(batch)).take(pa.array(rows))
            for batch, rows in zip(batches, within, strict=True)
        ]
        table = pa.Table.from_batches(parts, self._reader.schema).combine_chunks()
        if (order[1:] < order[:-1]).any():
            table = table.take(pa.array(np.argsort(order)))
        problems = {n: self.problems[p] for n, p in enumerate(places) if p in self.problems}
        rows = pa.Table.from_arrays(table.columns[1:], schema=self.schema)
        return Block(table.column(0).to_pylist(), rows, problems)

    @cached_property
    def _reader(self) -> pa.ipc.RecordBatchFileReader:
        return self._open()

    def _open(self, options: pa.ipc.IpcReadOptions | None = None) -> pa.ipc.RecordBatchFileReader:
        self._file.seek(0)
        return pa.ipc.open_file(self._file, options=options)
