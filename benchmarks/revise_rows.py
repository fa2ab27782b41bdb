"""Rows a second through the whole of `revise`, beside the parsing and measuring alone.

    python benchmarks/revise_rows.py --rows 4000

The reviser is canned and instant, so what is timed is ours: reading, rendering, request keys, journal,
parsing, measures, gates and Parquet. The bare loop parses, measures and gates the same texts in
memory. The two alternate; the ratio is the median of bare time by pipeline time.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from pairwright.pairs.minimality import measure
from revise import ReviseConfig, revise
from revise.gates import GateConfig, Revision, check
from revise.rewriting import parse_revision

ANSWER = "The sum of {n} and one is easy to find: it is {n}, as everybody knows who can count. " * 4
REVISION = "The sum of a number and one is easy to find: it is the next, as everybody knows. " * 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    reply = f"<rationale>the sum was wrong</rationale>\n<revision>{REVISION}</revision>"
    answers = [ANSWER.format(n=n) for n in range(given.rows)]
    pipeline, bare = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = ({"prompt": f"What is {n} plus one?", "response": a} for n, a in enumerate(answers))
        (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        (folder / "reply.jsonl").write_text(json.dumps({"text": reply}) + "\n")
        for number in range(given.rounds):
            pipeline.append(timed_pipeline(folder, number))
            bare.append(timed_bare(answers, reply))
            print(
                f"{number + 1}: {given.rows / pipeline[-1]:,.0f} rows/s, bare {given.rows / bare[-1]:,.0f}"
            )
    print(f"revise: {given.rows / statistics.median(pipeline):,.0f} rows/s over {given.rows:,} rows")
    print(f"ratio: {statistics.median(b / p for b, p in zip(bare, pipeline, strict=True)):.2f}")


def timed_pipeline(folder: Path, number: int) -> float:
    config = ReviseConfig(
        input=str(folder / "rows.jsonl"),
        reviser=f"canned:{folder / 'reply.jsonl'}",
        out=str(folder / f"run{number}"),
        retry=False,
    )
    started = time.perf_counter()
    revise(config)
    return time.perf_counter() - started


def timed_bare(answers: list[str], reply: str) -> float:
    gates = GateConfig()
    started = time.perf_counter()
    for answer in answers:
        revision = parse_revision(reply, answer)
        assert revision is not None
        measures = measure(revision.text, answer, original=answer)
        check(Revision(answer, revision.text, measures), gates)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
