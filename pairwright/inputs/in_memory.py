"""Rows handed over from Python, stored as files in the cache so that every command can read them."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pairwright.errors import UsageError
from pairwright.folders.cache import cache_folder
from pairwright.folders.durable import write_durably
from pairwright.inputs.quiet import without_progress_bars


def file_of(value: Any, field: str) -> str | None:
    """Return the file with rows given as mappings or a frame; None for a value that is no rows.

    A frame is one of polars or pandas, or a `datasets.Dataset`. Equal rows have one file, named by its
    content, so that a repeated run goes on. Raises `UsageError` for rows that JSON cannot hold, and for
    none.
    """
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        return _kept(_lines(value, field), "jsonl")
    for method in ("write_parquet", "to_parquet"):
        if callable(write := getattr(value, method, None)):
            if not len(value):
                raise UsageError(f"{field}: there are no rows in what was given")
            data = io.BytesIO()
            with without_progress_bars():
                write(data)
            return _kept(data.getvalue(), "parquet")
    return None


def _lines(rows: Sequence[Mapping[str, Any]], field: str) -> bytes:
    """Rows as JSON, one a line."""
    lines = []
    for number, row in enumerate(rows):
        try:
            lines.append(json.dumps(dict(row)))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{field}: row {number} of the list is not JSON: {error}") from None
    return "".join(f"{line}\n" for line in lines).encode()


def _kept(data: bytes, kind: str) -> str:
    """The file of that content in the cache, written if it is not there."""
    path = cache_folder() / "rows" / f"{hashlib.sha256(data).hexdigest()[:32]}.{kind}"
    if not path.is_file():
        write_durably(path, data)
    return str(path)
