"""Arrow files (Feather) and Arrow streams, as `datasets` keeps them, as rows."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.folders.durable import sha256_file
from pairwright.inputs.source import CHUNK, ArrowSource, Chunk, damaged, plain_schema

_FILE, _STREAM = b"ARROW1", b"\xff\xff\xff\xff"


def is_arrow(path: Path) -> bool:
    """Return whether a file is an Arrow file or stream, by its first bytes."""
    with path.open("rb") as file:
        begins = file.read(8)
    return begins.startswith(_FILE) or (
        begins.startswith(_STREAM) and path.suffix in (".arrow", ".feather")
    )


class ArrowFile(ArrowSource):
    """One Arrow file or stream."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self.schema = plain_schema(next(self._read()).schema)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"{path}: cannot be read as Arrow ({reason})") from None

    def sha256(self) -> str:
        """Return the hash of the file's bytes."""
        return sha256_file(self._path)

    def pieces(self) -> Iterator[Chunk]:
        """Yield every row: a file is read whole or not at all."""
        number, batches = 0, self._read()
        next(batches)
        try:
            for table in batches:
                table.validate(full=True)
                for batch in table.cast(self.schema).to_batches(max_chunksize=CHUNK):
                    yield Chunk(str(self._path), number + 1, batch)
                    number += batch.num_rows
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise damaged(str(self._path), number, error) from None

    def _read(self) -> Iterator[pa.Table]:
        """A table without rows, for its columns, and then one for each batch."""
        with pa.memory_map(str(self._path)) as file:
            if file.read(len(_FILE)) == _FILE:
                opened = pa.ipc.open_file(file)
                batches = (opened.get_batch(number) for number in range(opened.num_record_batches))
            else:
                file.seek(0)
                batches = opened = pa.ipc.open_stream(file)
            yield opened.schema.empty_table()
            for batch in batches:
                yield pa.Table.from_batches([batch])
