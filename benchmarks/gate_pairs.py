"""How many pairs of others pass the default gates, and why the rest do not.

    python benchmarks/gate_pairs.py pairs.parquet

Reads any file of pairs with `chosen` and `rejected` (texts or messages). `rejected` is taken for the
answer that was revised, as in data made to improve answers; `--worsened` takes `chosen`.
"""

import argparse
import statistics
from collections import Counter
from typing import Any

from pairwright.minimality import Minimality, measure
from pairwright.sources import open_source
from revise.gates import Candidate, GateConfig, check

MEASURES = ("kept_share", "edit_distance", "jaccard", "char_levenshtein", "common_prefix", "length_ratio")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", help="JSONL or Parquet file")
    parser.add_argument("--worsened", action="store_true", help="the revision is the rejected answer")
    given = parser.parse_args()
    statuses: Counter[str] = Counter()
    measures: list[Minimality] = []
    for _, row in open_source(given.pairs):
        chosen, rejected = text_of(row["chosen"]), text_of(row["rejected"])
        original, revision = (chosen, rejected) if given.worsened else (rejected, chosen)
        found = measure(chosen, rejected, original=original)
        statuses[check(Candidate(original, revision, found), GateConfig()).status] += 1
        measures.append(found)
    print("| measure | least | lower quartile | median | upper quartile | most |\n| --- |" + " --- |" * 5)
    for name in MEASURES:
        values = sorted(float(getattr(found, name)) for found in measures)
        quarters = statistics.quantiles(values, n=4, method="inclusive")
        print(f"| `{name}` |", " | ".join(f"{v:.4g}" for v in (values[0], *quarters, values[-1])), "|")
    total = sum(statuses.values())
    print(", ".join(f"{n} of {total} `{status}`" for status, n in statuses.most_common()))


def text_of(answer: Any) -> str:
    """The last message of a conversation; a text as it is."""
    return str(answer if isinstance(answer, str) else answer[-1]["content"])


if __name__ == "__main__":
    main()
