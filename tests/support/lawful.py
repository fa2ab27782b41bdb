"""What the laws of rows have in common: whole runs, logs beside journals, and the same command again."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import recorded
from any_rows import TOOLS, Case, called
from in_process import quietly
from runs_on_disk import rows_of

from pairwright.folders.journal import Journal
from pairwright.folders.manifest import load_manifest
from pairwright.records import Message, stored

PROMPT = {"prompt", "question", "instruction", "messages", "conversations"}


def messages_of(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [worded(message) for message in row["prompt"] or []]


def worded(message: dict[str, Any]) -> tuple[str, str]:
    """Who speaks, and the words; a call of a tool is words too."""
    functions = [call["function"] for call in message.get("tool_calls") or ()]
    calls = [called(function["name"], json.loads(function["arguments"])) for function in functions]
    return message["role"], "\n".join(filter(None, (message["content"], *calls)))


def said(row: dict[str, Any], column: str) -> str | None:
    return row[column][0]["content"] if row.get(column) else None


def shown(messages: Iterable[Message]) -> tuple[tuple[str, str], ...]:
    """What models are shown, in the words of a case; a row has all tools or none."""
    for message in messages:
        assert message.beside is None or json.loads(message.beside.tools or "") == TOOLS
    return tuple(worded(message) for message in stored(messages))


def whole(folder: Path, items: int) -> list[dict[str, Any]]:
    """All rows of a run, after counting them: rows in = kept + dropped, and each id once."""
    manifest = load_manifest(folder)
    assert manifest.complete
    assert manifest.items == items == sum(manifest.counts.values())
    rows = rows_of(folder)
    assert len(rows) == manifest.items + manifest.kept_rows - manifest.counts.get("kept", 0)
    calling = [row for row in rows if any(m.get("tool_calls") for m in row["prompt"] or ())]
    assert all(json.loads(row["tools"]) == TOOLS for row in calling)
    return rows


def accounted_for(folder: Path) -> None:
    """What the engines were asked and answered is what the journal holds."""
    asked = Counter(job.key for job, _ in recorded.LOG)
    assert set(asked.values()) <= {1}
    with Journal(folder / "journal.sqlite") as journal:
        assert set(journal.keys()) == set(asked)
        for job, completion in recorded.LOG:
            kept = journal.get(job.key)
            assert kept is not None
            assert kept.text == completion.text


def content_of(rows: list[dict[str, Any]]) -> Counter[str]:
    """Rows without what says where they stood."""
    return Counter(json.dumps(row, sort_keys=True, default=str) for row in rows)


def run_again(folder: Path, found: Case, argv: Callable[[str, str], list[str]], change: str) -> Path:
    """The same command over the same rows, changed in a way that must change nothing."""
    rows, more = list(found.rows), []
    if change == "order":
        random.Random(len(rows)).shuffle(rows)
    if change == "shards":
        more = ["--shard_size", "2"]
    if change == "names":
        name = next((n for n in rows[0] if n in PROMPT), None)
        if name in ("prompt", "question", "messages") and "context" not in rows[0]:
            rows = [{("ask" if n == name else n): value for n, value in row.items()} for row in rows]
            more = ["--prompt_column", "ask"]
    path = found._replace(rows=rows).write(folder, "again")
    recorded.HANDS[0] = 1 if change == "concurrency" else 64
    quietly(*argv(str(path), str(folder / "again")), *more, codes=(0, 1))
    recorded.HANDS[0] = 64
    return folder / "again"


def same(
    rows: list[dict[str, Any]],
    folder: Path,
    found: Case,
    argv: Callable[[str, str], list[str]],
    number: int,
) -> None:
    change = ("order", "shards", "names", "concurrency")[number % 4]
    again = rows_of(run_again(folder, found, argv, change))
    if change == "order" and len({str(row) for row in found.rows}) < len(found.rows):
        return  # which of equal rows carries what is a matter of their order
    assert content_of(again) == content_of(rows), change
