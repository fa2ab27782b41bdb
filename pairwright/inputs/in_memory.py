"""Rows handed over from Python, stored as files in the cache so that every command can read them."""

import datetime
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pairwright.errors import UsageError
from pairwright.folders.cache import cache_folder
from pairwright.folders.durable import write_durably
from pairwright.inputs.quiet import without_progress_bars

FORMS = "a list of dicts, a frame of polars or pandas, an Arrow table, or a datasets.Dataset"
"""What rows may be given as."""


def file_of(value: Any, field: str) -> str | None:
    """Return the file with rows given in one of `FORMS`; None for a value that is no rows.

    Equal rows have one file, named by its content, so that a repeated run goes on. Raises `UsageError` for
    rows that JSON or Parquet cannot hold, and for none.
    """
    if isinstance(value, list | tuple) and any(isinstance(row, Mapping) for row in value):
        return _kept(_lines(value, field), "jsonl")
    if isinstance(value, Iterator):
        raise UsageError(
            f"{field}: a {type(value).__name__} can be read once only; give a list of its rows"
        )
    kind = (type(value).__module__.partition(".")[0], type(value).__name__)
    if kind == ("datasets", "DatasetDict"):
        splits = ", ".join(map(repr, value))
        raise UsageError(f"{field}: has the splits {splits}; give one, as data[{next(iter(value), '')!r}]")
    if kind[0] == "datasets" and "Iterable" in kind[1]:
        raise UsageError(f"{field}: an {kind[1]} is read as it comes; give its rows: list(data)")
    if kind == ("polars", "LazyFrame"):
        value = value.collect()
    write = _writer(value, kind)
    if write is None:
        return None
    if not len(value):
        raise UsageError(f"{field}: there are no rows in what was given")
    data = io.BytesIO()
    try:
        with without_progress_bars():
            write(data)
    except Exception as error:  # each library raises its own
        said = str(error).strip().partition("\n")[0]
        raise UsageError(f"{field}: the {kind[1]} cannot be written as Parquet ({said})") from None
    return _kept(data.getvalue(), "parquet")


def _writer(value: Any, kind: tuple[str, str]) -> Callable[[io.BytesIO], Any] | None:
    """The function that writes a table as Parquet; None for what is no table."""
    if kind[0] == "pyarrow" and kind[1] in ("Table", "RecordBatch"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = value if kind[1] == "Table" else pa.Table.from_batches([value])
        return lambda data: pq.write_table(table, data)
    found = (getattr(value, name, None) for name in ("write_parquet", "to_parquet"))
    return next(filter(callable, found), None)


def _lines(rows: Sequence[Any], field: str) -> bytes:
    """Rows as JSON, one a line."""
    lines = []
    for number, row in enumerate(rows):
        where = f"{field}: row {number} of the list"
        if not isinstance(row, Mapping):
            raise UsageError(f"{where} is {row!r:.40}, and not a dict")
        try:
            lines.append(json.dumps(dict(row), default=_plain))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{where} is not JSON: {_culprit(row)}{error}") from None
    return "".join(f"{line}\n" for line in lines).encode()


def _plain(value: Any) -> Any:
    """What JSON has for a number or list of numpy or torch, and for a date or time."""
    if callable(plain := getattr(value, "tolist", None)):
        return plain()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} has no form there")


def _culprit(row: Mapping[str, Any]) -> str:
    """The name of the first column that JSON cannot hold."""
    for name, value in row.items():
        try:
            json.dumps(value, default=_plain)
        except (TypeError, ValueError):
            return f"`{name}`: "
    return ""


def said_of_rows(text: str) -> str:
    """Return a sentence with `<rows>` in the place of files that rows from Python are kept in."""
    return re.sub(rf"{re.escape(str(_folder()))}/[0-9a-f]{{32}}\.\w+", "<rows>", text)


def _kept(data: bytes, kind: str) -> str:
    """The file of that content in the cache, written if it is not there."""
    path = _folder() / f"{hashlib.sha256(data).hexdigest()[:32]}.{kind}"
    if not path.is_file():
        write_durably(path, data)
    return str(path)


def _folder() -> Path:
    return cache_folder() / "rows"
