"""Files of prompts that rounds sample from: read once, kept beside them."""

import json
from collections.abc import Iterable
from pathlib import Path

from pairwright.folders.durable import write_durably
from pairwright.inputs.columns import Columns
from pairwright.inputs.rows import Input, Row


def rows_of(source: str, limit: int | None) -> list[Row]:
    """The prompts of a source."""
    return list(Input(source, Columns(), limit, answers=False))


def write_prompts(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object a line; a file that says so already is left alone."""
    lines = []
    for row in rows:
        golden = {} if row.answer is None else {"golden": row.answer}
        prompt = [message.model_dump() for message in row.prompt]
        lines.append(json.dumps({"prompt": prompt, **golden}, ensure_ascii=False) + "\n")
    data = "".join(lines).encode()
    if not path.exists() or path.read_bytes() != data:
        write_durably(path, data)
