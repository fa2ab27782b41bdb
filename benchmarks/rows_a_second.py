"""Rows a second of commands that ask no model, or a check that costs nothing, and their memory.

    python benchmarks/rows_a_second.py [--rows 100000] [--words 60] [--pairs FILE] [--only gate dedup]

Of the whole command, from its start to its end, in processor time of one process and of those that it
starts, and its peak memory on a tenth of the rows and on all of them; and of the search of `dedup` without
reading and writing. Pairs are generated: a prompt of 12 words and two answers of 60 (`--words`) that differ
in one; `--pairs` names a Parquet file of others.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.schema import CONVERSATION
from pairwright.sift.dedup import DedupConfig, Duplicates
from pairwright.sift.whole import Block

VOCABULARY = 5000
CHUNK = 1000
PROMPT = 12
"""Words of a prompt."""
CHECK = 'check:contains("w5000")'
PAIRS = "PAIRS"
"""Stands for the file of pairs."""
COMMANDS = {
    "gate": ["gate"],
    "dedup": ["dedup"],
    "dedup --near 1": ["dedup", "--near", "1"],
    "merge": ["merge"],
    "select --top 10000": ["select", "--top", "10000"],
    "select --near 0.8": ["select", "--near", "0.8"],
    "export": ["export", "--to", "trl"],
    "score": ["score", CHECK, PAIRS, "--columns", "chosen,rejected"],
    "judge": ["judge", "--judge", CHECK, "--columns", "chosen,rejected"],
}
SCHEMA = pa.schema([(name, CONVERSATION) for name in ("prompt", "chosen", "rejected")])


def chunks(count: int, answer: int) -> Iterator[pa.Table]:
    """Pairs of random words, so many in an answer; no two are alike."""
    chance = random.Random(0)
    for start in range(0, count, CHUNK):
        rows = []
        for _ in range(start, min(start + CHUNK, count)):
            prompt, rejected = (chance.choices(range(VOCABULARY), k=k) for k in (PROMPT, answer))
            chosen = [*rejected[:-1], VOCABULARY]
            said = (" ".join(f"w{n}" for n in words) for words in (prompt, chosen, rejected))
            roles = ("user", "assistant", "assistant")
            messages = ([{"role": r, "content": t}] for r, t in zip(roles, said, strict=True))
            rows.append(dict(zip(SCHEMA.names, messages, strict=True)))
        yield pa.Table.from_pylist(rows, SCHEMA)


def searched(tables: list[pa.Table], near: float) -> float:
    """Processor seconds of the search in rows that are there already."""
    look = Duplicates(DedupConfig(inputs=("-",), out="-", near=near))
    blocks = [
        Block([f"row {number * CHUNK + n}" for n in range(table.num_rows)], table)
        for number, table in enumerate(tables)
    ]
    started = time.process_time()
    for block in blocks:
        look(block)
    return time.process_time() - started


def commanded(pairs: Path, command: list[str]) -> tuple[float, int]:
    """Processor seconds of a command, from its start to its end, and its peak memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = command if PAIRS in command else [command[0], PAIRS, *command[1:]]
        named = [str(pairs) if word == PAIRS else word for word in command]
        given = [sys.executable, "-m", "pairwright", *named]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen([*given, "--out", f"{folder}/out"], stdout=quiet, stderr=quiet)
        _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"exit {status}"
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> None:
    """Print processor seconds, so that others on the machine matter little."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--only", nargs="*", choices=[*COMMANDS, "search"], default=[*COMMANDS, "search"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, pairs = Path(folder, "few.parquet"), given.pairs or Path(folder, "pairs.parquet")
        if given.pairs is None:
            write(pairs, chunks(given.rows, given.words))
        rows = pq.ParquetFile(pairs).metadata.num_rows
        write(few, islice(read(pairs), max(rows // 10 // CHUNK, 1)))
        for name in (name for name in COMMANDS if name in given.only):
            _, before = commanded(few, COMMANDS[name])
            seconds, peak = commanded(pairs, COMMANDS[name])
            told = f"{before / 2**20:,.0f} MiB at a tenth, {peak / 2**20:,.0f} MiB"
            print(f"{name}: {rows / seconds:,.0f} rows a processor second; {told}", flush=True)
        tables = list(read(pairs)) if "search" in given.only else []
    if tables:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        search = searched(tables, 0.8)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / rows
        print(f"search of dedup: {rows / search:,.0f} rows a processor second, {grown:,.0f} bytes a row")


def write(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables to one file, one after the other."""
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for table in tables:
            writer.write_table(table)


def read(path: Path) -> Iterator[pa.Table]:
    """Yield the rows of a file in chunks."""
    batches = pq.ParquetFile(path).iter_batches(CHUNK, columns=SCHEMA.names)
    return (pa.Table.from_batches([batch]).cast(SCHEMA) for batch in batches)


if __name__ == "__main__":
    main()
