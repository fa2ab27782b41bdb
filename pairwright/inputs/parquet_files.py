"""Parquet files as rows."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.errors import UsageError
from pairwright.folders.durable import sha256_file
from pairwright.inputs.source import CHUNK, ArrowSource, Chunk, damaged, plain_schema, unified, valueless_in
from pairwright.schema import STATUS

_READ_AT_ONCE = 2**20
"""Bytes of a column; else Arrow reads whole row groups, and holds those that come next too."""


class ParquetFiles(ArrowSource):
    """Parquet files, one after the other; each may lack columns that others have."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        files = {path: open_parquet(path).schema_arrow for path in paths}
        self.dropped = any(_is_dropped(schema) for schema in files.values())
        self.schema = pa.schema([])
        for place, (path, schema) in enumerate(files.items()):
            names = schema.names
            twice = next((n for n in names if names.count(n) > 1), None)
            if twice is not None:
                raise UsageError(f"{path}: two columns are named `{twice}`; rename one")
            both = [self.schema, plain_schema(schema)]
            try:
                self.schema = unified(
                    both, [partial(_valueless_in, part) for part in (paths[:place], [path])]
                )
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise UsageError(f"{path}: not the same columns as the files before it ({error})") from None

    def sha256(self) -> str:
        """Return the hash of the files' bytes, in order."""
        return hashlib.sha256("".join(map(sha256_file, self._paths)).encode()).hexdigest()

    def pieces(self) -> Iterator[Chunk]:
        """Yield every row: a file is read whole or not at all."""
        return _chunks(self._paths)


def _chunks(paths: Sequence[Path]) -> Iterator[Chunk]:
    for path in paths:
        file = open_parquet(path)
        plain = plain_schema(file.schema_arrow)
        number = 0
        try:
            for batch in file.iter_batches(batch_size=CHUNK, use_threads=False):
                batch.validate(full=True)
                yield Chunk(str(path), number + 1, batch.cast(plain))
                number += batch.num_rows
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise damaged(str(path), number, error) from None


def _valueless_in(paths: Sequence[Path]) -> frozenset[str]:
    return valueless_in(chunk.rows for chunk in _chunks(paths))


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, by its ending or its first bytes."""
    with path.open("rb") as file:
        return path.suffix == ".parquet" or file.read(4) == b"PAR1"


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file, whose checksums are verified as it is read. Raises `UsageError` for others."""
    try:
        return pq.ParquetFile(
            path, page_checksum_verification=True, pre_buffer=False, buffer_size=_READ_AT_ONCE
        )
    except (pa.ArrowException, OSError) as error:
        with path.open("rb") as file:
            pointer = file.read(23) == b"version https://git-lfs"
        reason = "a pointer of Git LFS: run `git lfs pull`" if pointer else str(error).splitlines()[0]
        raise UsageError(f"{path}: cannot be read as Parquet ({reason})") from None


def _is_dropped(schema: pa.Schema) -> bool:
    """Whether a file holds rows that a run of ours did not keep."""
    noted = b"pairwright_shard" in (schema.metadata or {})
    return noted and schema.names[: len(STATUS)] == [field.name for field in STATUS]
