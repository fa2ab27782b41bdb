"""Small inputs, canned revisers and run folders for tests, and ways to look at what came out."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pairwright.folders.shards import read_tables
from revise import ReviseConfig

ANSWER = "The sum of {n} and one is easy to find: it is {n}, as everybody knows who can count to a hundred."
REVISED = (
    "The sum of {n} and one is easy to find: it is {m}, as everybody knows who can count to a hundred."
)
TAGGED = "<rationale>the sum was wrong</rationale>\n<revision>{}</revision>"


def write_jsonl(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def answers(folder: Path, rows: int) -> Path:
    """A file of `rows` answered prompts, every one different."""
    records = (
        {"prompt": f"What is {n} plus one?", "response": ANSWER.format(n=n), "tag": n % 7}
        for n in range(rows)
    )
    return write_jsonl(folder / "answers.jsonl", records)


def reviser(folder: Path, rows: int, delay: float = 0.0) -> Path:
    """A canned reviser: mostly good revisions, and now and then one for every other ending."""
    replies: list[dict[str, Any]] = []
    for n in range(rows):
        reply: dict[str, Any] = {"match": f"What is {n} plus one?", "delay": delay}
        if n % 10 == 3:
            reply["text"] = "I would not know how to put this."
        elif n % 10 == 5:
            reply["text"] = TAGGED.format(ANSWER.format(n=n))
        elif n % 10 == 7:
            reply |= {"text": "<revision>\nThe sum", "finish_reason": "length"}
        else:
            reply["text"] = TAGGED.format(REVISED.format(n=n, m=n + 1))
        replies.append(reply)
    return write_jsonl(folder / "reviser.jsonl", replies)


def revise_config(folder: Path, rows: int = 60, delay: float = 0.0, **settings: Any) -> ReviseConfig:
    """Settings of a small revision, with its input and reviser written to `folder`."""
    values = {
        "input": str(answers(folder, rows)),
        "reviser": f"canned:{reviser(folder, rows, delay)}",
        "out": str(folder / "run"),
        "shard_size": 16,
    }
    return ReviseConfig(**(values | settings))


def as_flags(config: ReviseConfig) -> list[str]:
    """The command line of the settings that are not defaults."""
    given = config.model_dump(exclude_defaults=True)
    return ["revise", *(part for name, value in given.items() for part in (f"--{name}", str(value)))]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Every row of a run, kept and dropped, shard by shard, after checking each shard's hash."""
    found: list[dict[str, Any]] = []
    for part in ("data", "dropped"):
        for table in read_tables(folder, part):
            found.extend(table.to_pylist())
    return found


def files_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of every Parquet file that a reader of the folder would see."""
    return {
        str(path.relative_to(folder)): pq.read_table(path, page_checksum_verification=True).to_pylist()
        for path in sorted(folder.glob("d*/*.parquet"))
        if path.parent.name in ("data", "dropped")
    }
