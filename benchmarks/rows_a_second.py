"""Rows a second of commands that ask no model: `gate`, `dedup` and `merge`

    python benchmarks/rows_a_second.py [--rows 100000] [--pairs FILE]

Of the whole command, from its start to its end, in processor time of one process, and of the search of
`dedup` without reading and writing, with the memory that it takes. Pairs are generated: a prompt of 12
words and two answers of 60 that differ in one; `--pairs` names a Parquet file of others.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.schema import CONVERSATION
from pairwright.sift.dedup import DedupConfig, Duplicates
from pairwright.sift.whole import Block

VOCABULARY = 5000
CHUNK = 1000
PROMPT, ANSWER = 12, 60
"""Words of a prompt and of each of its two answers, of which one differs in one word."""
SCHEMA = pa.schema([(name, CONVERSATION) for name in ("prompt", "chosen", "rejected")])


def chunks(count: int) -> Iterator[pa.Table]:
    """Pairs of random words; no two are alike."""
    chance = random.Random(0)
    for start in range(0, count, CHUNK):
        rows = []
        for _ in range(start, min(start + CHUNK, count)):
            prompt, rejected = (chance.choices(range(VOCABULARY), k=k) for k in (PROMPT, ANSWER))
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


def commanded(pairs: Path, command: str, *options: str) -> float:
    """Processor seconds of a command, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        given = [sys.executable, "-m", "pairwright.cli", command, str(pairs), *options]
        subprocess.run([*given, "--out", f"{folder}/out"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Print processor seconds, so that others on the machine matter little."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--pairs", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = given.pairs or Path(folder, "pairs.parquet")
        if given.pairs is None:
            pq.write_table(pa.concat_tables(chunks(given.rows)), pairs)
        rows = pq.ParquetFile(pairs).metadata.num_rows
        for command, *options in (("gate",), ("dedup",), ("dedup", "--near", "1"), ("merge",)):
            seconds = commanded(pairs, command, *options)
            print(f"{' '.join((command, *options))}: {rows / seconds:,.0f} rows a processor second")
        tables = [pa.Table.from_batches([batch]) for batch in pq.ParquetFile(pairs).iter_batches(CHUNK)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    search = searched(tables, 0.8)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / rows
    print(f"the search of dedup: {rows / search:,.0f} rows a processor second, {grown:,.0f} bytes a row")


if __name__ == "__main__":
    main()
