"""How many pairs of others pass the default gates, and why the rest do not.

    python benchmarks/gate_pairs.py pairs.parquet

Reads a JSONL or Parquet file, a run folder or a data set of the hub with `chosen` and `rejected` (texts
or messages). `rejected` is taken for the answer that was revised, as in data made to improve answers;
`--worsened` takes `chosen`.
"""

import argparse
import statistics
from collections import Counter
from typing import Any

from pairwright.errors import PairwrightError, UsageError
from pairwright.inputs.sources import open_source
from pairwright.pairs.minimality import Minimality, measure
from pairwright.records import Ending
from revise.gates import GateConfig, Revision, check

MEASURES = ("kept_share", "edit_distance", "jaccard", "char_levenshtein", "common_prefix", "length_ratio")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", help="file, run folder or data set of the hub")
    parser.add_argument("--worsened", action="store_true", help="the revision is the rejected answer")
    given = parser.parse_args()
    try:
        measures, verdicts = gated(given.pairs, worsened=given.worsened)
    except PairwrightError as error:
        raise SystemExit(f"gate_pairs: {error}") from None
    print("| measure | least | lower quartile | median | upper quartile | most |\n| --- |" + " --- |" * 5)
    for name in MEASURES:
        values = sorted(float(getattr(found, name)) for found in measures)
        quarters = statistics.quantiles(values, n=4, method="inclusive") if values[1:] else values * 3
        print(f"| `{name}` |", " | ".join(f"{v:.4g}" for v in (values[0], *quarters, values[-1])), "|")
    print("\n| status | pairs | for example |\n| --- | --- | --- |")
    examples = {v.status: v.reason for v in reversed(verdicts)}
    for status, count in Counter(v.status for v in verdicts).most_common():
        print(f"| `{status}` | {count} of {len(verdicts)} | {examples[status] or '–'} |")


def gated(pairs: str, *, worsened: bool) -> tuple[list[Minimality], list[Ending]]:
    """Measures of every pair, and what the default gates say of it."""
    measures, verdicts = [], []
    for where, row in open_source(pairs):
        chosen, rejected = (text_of(row.get(side), f"{where}: `{side}`") for side in ("chosen", "rejected"))
        original, revision = (chosen, rejected) if worsened else (rejected, chosen)
        measures.append(measure(chosen, rejected, original=original))
        verdicts.append(check(Revision(original, revision, measures[-1]), GateConfig()))
    if not measures:
        raise UsageError(f"{pairs}: holds no pairs")
    return measures, verdicts


def text_of(answer: Any, where: str) -> str:
    """The last message of a conversation; a text as it is."""
    text = answer[-1].get("content") if isinstance(answer, list) and answer else answer
    if not isinstance(text, str):
        raise UsageError(f"{where} must be a text or messages")
    return text


if __name__ == "__main__":
    main()
