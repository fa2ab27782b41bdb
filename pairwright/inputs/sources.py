"""Records from where users have them: JSONL, Parquet, run folders, and data sets of the hub.

A source is read in a stream, more than once, and says of every record where it stands.
"""

import codecs
import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import sha256_file
from pairwright.folders.manifest import MANIFEST, load_manifest
from pairwright.folders.shards import read_tables
from pairwright.inputs.source import CHUNK, Source, plain_schema

_FILES = {".jsonl", ".json", ".parquet", ".csv", ".tsv", ".txt", ".gz", ".zst", ".zip", ".arrow"}


def open_source(name: str) -> Source:
    """The source of that name. Raises `UsageError` when it cannot be read."""
    path = Path(name)
    try:
        if path.is_file():
            return ParquetFiles([path]) if _is_parquet(path) else JsonLines(path)
        if (path / MANIFEST).is_file():
            return RunFolder(path)
        if path.is_dir():
            return ParquetFiles(_parquet_files(path))
        if path.exists():
            raise UsageError(f"{name}: is not a regular file; rows are read more than once")
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror})") from None
    dataset, _, split = name.partition(":")
    if dataset.count("/") != 1 or Path(dataset).suffix in _FILES or dataset.startswith((".", "/", "~")):
        raise UsageError(f"{name}: no such file or folder")
    from pairwright.inputs.hub_dataset import HubDataset

    return HubDataset(dataset, split or "train")


def records(name: str, limit: int | None = None) -> Iterator[Mapping[str, Any]]:
    """The records of any source, at most `limit`."""
    return (record for _, record in islice(open_source(name), limit))


class JsonLines:
    """A file with one JSON object a line. Blank lines are skipped."""

    schema = None

    def __init__(self, path: Path) -> None:
        self._path = path

    def sha256(self) -> str:
        """Hash of the file's bytes."""
        return sha256_file(self._path)

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.rstrip()
                if number == 1:
                    text = text.removeprefix(codecs.BOM_UTF8)
                if text:
                    yield f"{self._path} line {number}", self._record(text, number)

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        where = f"{self._path} line {number}"
        try:
            record = json.loads(line.decode())
        except UnicodeDecodeError:
            packed = (
                " (it is compressed; unpack it)"
                if line.startswith((b"\x1f\x8b", b"PK", b"\x28\xb5\x2f\xfd"))
                else ""
            )
            raise UsageError(f"{where}: is not UTF-8 text{packed}") from None
        except json.JSONDecodeError as error:
            raise UsageError(
                f"{where}: broken JSON ({error.msg} at column {error.colno}); "
                "every line must be one JSON object"
            ) from None
        except RecursionError:
            raise UsageError(f"{where}: JSON nested too deep") from None
        except ValueError as error:
            raise UsageError(f"{where}: {str(error).partition(';')[0]}") from None
        if not isinstance(record, dict):
            raise UsageError(
                f"{where}: is a {type(record).__name__}, not an object; "
                'every line must look like {"prompt": …}'
            )
        return _sanitized(record) if b"\\ud" in line.lower() else record


def _sanitized(value: Any) -> Any:
    """JSON can spell half of a surrogate pair, which is no text: U+FFFD takes its place."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_sanitized(v) for v in value]
    if isinstance(value, dict):
        return {_sanitized(k): _sanitized(v) for k, v in value.items()}
    return value


class ParquetFiles:
    """Parquet files, one after the other; each may lack columns that others have."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        schemas = {path: plain_schema(_parquet(path).schema_arrow) for path in paths}
        self.schema = pa.schema([])
        for path, schema in schemas.items():
            names = schema.names
            twice = next((n for n in names if names.count(n) > 1), None)
            if twice is not None:
                raise UsageError(f"{path}: two columns are named `{twice}`; rename one")
            try:
                self.schema = pa.unify_schemas([self.schema, schema], promote_options="permissive")
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise UsageError(f"{path}: not the same columns as the files before it ({error})") from None

    def sha256(self) -> str:
        """Hash of the files' bytes, in order."""
        return hashlib.sha256("".join(map(sha256_file, self._paths)).encode()).hexdigest()

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in self._paths:
            file = _parquet(path)
            plain = plain_schema(file.schema_arrow)
            number = 0
            try:
                for batch in file.iter_batches(batch_size=CHUNK):
                    for record in batch.cast(plain).to_pylist():
                        number += 1
                        yield f"{path} row {number}", record
            except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
                reason = str(error).splitlines()[0]
                raise PairwrightError(f"{path}: damaged after row {number} ({reason})") from None


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".parquet" or file.read(4) == b"PAR1"


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path}: cannot be read as Parquet ({reason})") from None


def _parquet_files(folder: Path) -> list[Path]:
    """Parquet files under a folder; names that begin with `.` or `_` are somebody's bookkeeping."""
    found = sorted(folder.rglob("*.parquet"))
    files = [p for p in found if not any(n.startswith((".", "_")) for n in p.relative_to(folder).parts)]
    if not files:
        raise UsageError(f"{folder}: no Parquet files in this folder; a JSONL file is named itself")
    return files


class RunFolder:
    """The kept rows of a finished run, each shard checked against its recorded hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifest = load_manifest(folder)
        done = sum(self._manifest.counts.values())
        if done < self._manifest.items:
            raise UsageError(
                f"{folder}: an unfinished run ({done:,} of {self._manifest.items:,} rows); run its "
                f"command again first, or name {folder}/data to go on with what is there"
            )
        first = next(read_tables(folder), None)
        self.schema = plain_schema(first.schema) if first is not None else pa.schema([])

    def sha256(self) -> str:
        """Hash of the recorded hashes of the shards, in order."""
        shards = sorted(self._manifest.shards.items())
        return hashlib.sha256(json.dumps([s.sha256.get("data") for _, s in shards]).encode()).hexdigest()

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        number = 0
        for table in read_tables(self._folder):
            for batch in table.to_batches(max_chunksize=CHUNK):
                for record in batch.to_pylist():
                    number += 1
                    yield f"{self._folder} row {number}", record
