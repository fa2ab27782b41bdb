"""Files of prompts that rounds sample from: read once, kept beside them."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pairwright.folders.durable import write_durably
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.records import stored
from pairwright.stages.config import ReadingConfig

log = logging.getLogger(__name__)


def rows_of(source: str, reading: ReadingConfig, limit: int | None) -> list[Row]:
    """Return the prompts of a source."""
    name, columns = reading.split_of(source), reading.wanted_columns
    return sound(Input(name, columns, limit, answers=False, skip=reading.skip_bad_rows))


def sound(rows: Input) -> list[Row]:
    """Return the readable rows, and report how many are not."""
    if rows.bad:
        log.warning(
            "%s: %d bad row(s) passed over; the first: %s", rows.info.path, len(rows.bad), rows.bad[0]
        )
    return [row for row in rows if row.problem is None]


def write_prompts(path: Path, rows: Iterable[Row]) -> None:
    """Write one JSON object a line, the other columns of the source with it.

    A file that has these prompts already is left alone: runs were begun from it.
    """
    records = [_record(row) for row in rows]
    if path.exists() and _read(path) == [_asked(record) for record in records]:
        return
    lines = (json.dumps(record, ensure_ascii=False, default=str) + "\n" for record in records)
    write_durably(path, "".join(lines).encode("utf-8", "replace"))


def _record(row: Row) -> dict[str, Any]:
    golden = {} if row.answer is None else {"golden": row.answer}
    return {"prompt": stored(row.prompt), **row.carried, **golden}


def _asked(record: dict[str, Any]) -> tuple[Any, Any]:
    return record["prompt"], record.get("golden")


def _read(path: Path) -> list[tuple[Any, Any]] | None:
    try:
        return [_asked(json.loads(line)) for line in path.read_text().rstrip("\n").split("\n")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
