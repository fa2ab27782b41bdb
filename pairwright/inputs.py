"""Rows from where users have them: JSONL, Parquet, run folders, and data sets of the hub."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.columns import Columns, find_columns, parse_row
from pairwright.durable import sha256_file
from pairwright.errors import PairwrightError, UsageError
from pairwright.manifest import MANIFEST, InputInfo, load_manifest
from pairwright.records import Message, content_hash
from pairwright.schema import plain_type
from pairwright.store import read_tables

_CHUNK = 1000


class Candidate(NamedTuple):
    """One of several answers to a prompt."""

    text: str
    model: str | None = None
    """The model that gave it, where that is known."""
    column: str | None = None
    """The column it stands in, where answers stand side by side."""


class Row(NamedTuple):
    """One row of work."""

    row_id: str
    """Hash of prompt, answer and occurrence: the same row has the same id wherever it stands."""
    prompt_id: str
    """Hash of the prompt alone."""
    occurrence: int
    """How many equal rows came before it."""
    prompt: tuple[Message, ...]
    answer: str | None
    carried: dict[str, Any]
    """The input's other columns."""
    candidates: tuple[Candidate, ...] = ()
    """All answers to the prompt, where the input was read for that (`pairwright.candidates`)."""


class Input:
    """A validated input: every row was looked at once before any work starts."""

    def __init__(
        self, source: str, columns: Columns, limit: int | None, reserved: Iterable[str] = ()
    ) -> None:
        self._source = source
        self._limit = limit
        self._reserved = frozenset(reserved)
        self._columns = self._found(_column_names(source), columns)
        rows, self.carried = self._survey()
        self.info = InputInfo(path=source, sha256=_content(source, limit), rows=rows)

    @property
    def has_answers(self) -> bool:
        """Whether a column of answers was found."""
        return self._columns.answer is not None

    def __iter__(self) -> Iterator[Row]:
        seen: Counter[bytes] = Counter()
        for where, record in self._records():
            prompt, answer = parse_row(record, self._columns, where)
            prompt_id = content_hash([m.model_dump() for m in prompt])
            same = bytes.fromhex(content_hash([prompt_id, answer])[:16])
            occurrence = seen[same]
            seen[same] += 1
            row_id = content_hash([prompt_id, answer, occurrence])
            yield Row(row_id[:16], prompt_id[:16], occurrence, prompt, answer, self._carried(record))

    def _found(self, names: list[str], wanted: Columns) -> Columns:
        """The columns to read, of those that there are."""
        return find_columns(self._source, names, wanted)

    def _records(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The rows as they stand in the file, each with its place for messages to people."""
        for number, record in enumerate(_records(self._source, self._limit), start=1):
            yield f"{self._source} row {number}", record

    def _carried(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The other columns; those with a name that we write ourselves get `input_` before it."""
        return {
            f"input_{name}" if name in self._reserved else name: value
            for name, value in record.items()
            if name not in self._columns.used
        }

    def _survey(self) -> tuple[int, list[pa.Field]]:
        """Count the rows, check each one, and find the types of the carried columns."""
        schema = pa.schema([])
        count = 0
        for chunk in _chunks(row.carried for row in self):
            count += len(chunk)
            schema = self._unified(schema, chunk, count)
        if not count:
            raise UsageError(f"{self._source}: no rows in it; there is nothing to do")
        return count, [pa.field(f.name, plain_type(f.type)) for f in schema]

    def _unified(self, schema: pa.Schema, chunk: list[dict[str, Any]], count: int) -> pa.Schema:
        try:
            found = pa.Table.from_pylist(chunk).schema
            return pa.unify_schemas([schema, found], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            for position, carried in enumerate(chunk):
                try:
                    found = pa.Table.from_pylist([carried]).schema
                    schema = pa.unify_schemas([schema, found], promote_options="permissive")
                except (pa.ArrowInvalid, pa.ArrowTypeError) as culprit:
                    number = count - len(chunk) + position + 1
                    raise UsageError(
                        f"{self._source} row {number}: a column changes its type here "
                        f"({str(culprit).splitlines()[0]}); give every row the same type"
                    ) from None
            raise UsageError(f"{self._source}: {error}") from None


def _records(source: str, limit: int | None = None) -> Iterator[Mapping[str, Any]]:
    """The rows of any source, at most `limit`."""
    for number, record in enumerate(_all_records(source)):
        if limit is not None and number >= limit:
            return
        yield record


def _all_records(source: str) -> Iterator[Mapping[str, Any]]:
    path = Path(source)
    if path.is_file():
        yield from _parquet_rows([path]) if path.suffix == ".parquet" else _json_lines(path)
    elif (path / MANIFEST).is_file():
        for table in read_tables(path):
            yield from table.to_pylist()
    elif path.is_dir():
        yield from _parquet_rows(_parquet_files(path))
    else:
        yield from _hub_rows(source)


def _column_names(source: str) -> list[str]:
    """Columns of a source. JSONL has no schema: every line may bring new ones."""
    path = Path(source)
    if path.is_file() and path.suffix == ".parquet":
        return list(_parquet(path).schema_arrow.names)
    if path.is_file():
        return list(dict.fromkeys(name for record in _json_lines(path) for name in record))
    return list(next(iter(_records(source, 1)), {}))


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except UnicodeDecodeError:
                raise UsageError(f"{path} line {number}: is not UTF-8 text") from None
            except json.JSONDecodeError as error:
                raise UsageError(
                    f"{path} line {number}: broken JSON ({error.msg} at column {error.colno}); "
                    "every line must be one JSON object"
                ) from None
            except RecursionError:
                raise UsageError(f"{path} line {number}: JSON nested too deep") from None
            if not isinstance(record, dict):
                raise UsageError(
                    f"{path} line {number}: is a {type(record).__name__}, not an object; "
                    'every line must look like {"prompt": …}'
                )
            yield _sanitized(record) if b"\\ud" in line.lower() else record


def _sanitized(value: Any) -> Any:
    """JSON can spell half of a surrogate pair, which is no text: U+FFFD takes its place."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_sanitized(v) for v in value]
    if isinstance(value, dict):
        return {_sanitized(k): _sanitized(v) for k, v in value.items()}
    return value


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{path}: cannot be read as Parquet ({error})") from None


def _parquet_rows(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        try:
            for batch in _parquet(path).iter_batches(batch_size=_CHUNK):
                yield from batch.to_pylist()
        except (pa.ArrowInvalid, OSError) as error:
            raise PairwrightError(f"{path}: damaged ({error})") from None


def _parquet_files(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise UsageError(f"{folder}: no Parquet files in this folder")
    return files


def _hub_rows(source: str) -> Iterator[Mapping[str, Any]]:
    """A data set of the hub, `owner/name` or `owner/name:split` (default `train`)."""
    name, _, split = source.partition(":")
    if name.count("/") > 1 or Path(name).suffix or name.startswith((".", "/", "~")):
        raise UsageError(f"{source}: no such file or folder")
    import datasets

    try:
        yield from datasets.load_dataset(name, split=split or "train")
    except Exception as error:  # the hub client raises many kinds, all of them about `source`
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{source}: no such file or folder, and not to be had as a data set of the hub ({reason})"
        ) from None


def _content(source: str, limit: int | None) -> str:
    """Hash of what will be read: of file contents where there are files, else of the name."""
    path = Path(source)
    if path.is_file():
        content: Any = sha256_file(path)
    elif (path / MANIFEST).is_file():
        content = [s.sha256.get("data") for _, s in sorted(load_manifest(path).shards.items())]
    elif path.is_dir():
        content = [sha256_file(p) for p in _parquet_files(path)]
    else:
        content = source
    return hashlib.sha256(json.dumps([content, limit]).encode()).hexdigest()


def _chunks(items: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
