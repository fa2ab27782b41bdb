"""The findings of `run.sh` as a table of Markdown: `python benchmarks/gpu/table.py DIR`."""

import json
import sys
from itertools import groupby
from pathlib import Path


def shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    found = [json.loads(line) for line in (Path(sys.argv[1]) / "results.jsonl").read_text().splitlines()]
    for part, rows in groupby(found, key=lambda row: str(row.pop("part"))):
        some = list(rows)
        print(f"\n### {part}\n")
        print(f"| {' | '.join(some[0])} |\n|{'---|' * len(some[0])}")
        for row in some:
            print(f"| {' | '.join(map(shown, row.values()))} |")


if __name__ == "__main__":
    main()
