"""Pairs in which both answers have a form, and only one the form that is asked for.

A verified repair is chosen under its prompt; rejected is the same answer, repaired for another request on
the same task. So every chosen answer does what it was asked, and no form is better than another but by the
prompt. Of every few pairs one has a mirror under the task alone: there the answer as it was is chosen.

    python benchmarks/proof/crossing.py runs/pairs --checks checks.py --out crossed.parquet

`runs/pairs` is a run of `revise --verify` on answers to the task alone, without `--mirror`; the task is the
column `plain`, or what was asked in sampling. `checks.py` has `repair` and `passes` (`examples/checks.py`).
"""

import argparse
import runpy
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.errors import UsageError
from pairwright.folders.shards import read_tables

BARE_EVERY = 3
"""One in so many crossed pairs brings a mirror under the bare task."""

Row = Mapping[str, Any]
Repair = Callable[[str, str, Row], str | None]
Passes = Callable[[str, str, Row], bool]


def crossed(rows: Sequence[Row], repair: Repair, passes: Passes) -> Iterator[dict[str, Any]]:
    """Pairs of the verified repairs `rows`, by the task that they have in common."""
    groups = defaultdict(list)
    for row in rows:
        groups[task_of(row)].append(row)
    count = 0
    for row in rows:
        others = groups[task_of(row)]
        turn = others.index(row)
        for other in [*others[turn + 1 :], *others[:turn]]:
            rejected = repair(_text(other["prompt"]), _text(row["rejected"]), other)
            if rejected and not passes(_text(row["prompt"]), rejected, row):
                yield _pair(row["prompt"], row["chosen"], _said("assistant", rejected))
                if count % BARE_EVERY == 0:
                    yield _pair(_said("user", task_of(row)), row["rejected"], row["chosen"])
                count += 1
                break


def write(folder: Path, file: Path, repair: Repair, passes: Passes) -> int:
    """Cross the pairs of a run of `revise`; returns how many there are."""
    rows = [row for table in read_tables(folder) for row in table.to_pylist()]
    file.parent.mkdir(parents=True, exist_ok=True)
    pairs = list(crossed(rows, repair, passes))
    pq.write_table(pa.Table.from_pylist(pairs), file)
    return len(pairs)


def functions_of(checks: Path) -> tuple[Repair, Passes]:
    """Return `repair` and `passes` of a file, the second as yes or no."""
    found = runpy.run_path(str(checks))

    def passes(prompt: str, answer: str, row: Row) -> bool:
        verdict = found["passes"](prompt, answer, row)
        return bool(verdict[0] if isinstance(verdict, tuple) else verdict)

    return found["repair"], passes


def task_of(row: Row) -> str:
    """Return the prompt without its request: a column, or what was asked when the answer was sampled."""
    return row["plain"] if "plain" in row else _text(row["input_prompt"])


def _pair(prompt: Any, chosen: Any, rejected: Any) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def _said(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def _text(messages: Any) -> str:
    return str(messages[-1]["content"])


def main() -> None:
    """Cross the pairs of a run on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--checks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if not given.checks.is_file():
        parser.error(f"{given.checks}: no such file (--checks)")
    try:
        count = write(given.run, given.out, *functions_of(given.checks))
    except UsageError as error:
        parser.error(str(error))
    print(f"{given.out}: {count:,} pairs")


if __name__ == "__main__":
    main()
