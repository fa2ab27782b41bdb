"""Seconds for `stats` and `report` on a run folder of a million rows, beside reading its bytes.

    python benchmarks/stats_of_a_million.py --rows 1000000

The folder is generated: pairs with verdicts, 1,000 rows a shard, a third of them dropped. Reading the
bytes of every Parquet file is timed in the same run, as what the disk alone costs.
"""

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.figures.folder import figures_of
from pairwright.folders.manifest import InputInfo, Manifest, Shard
from pairwright.folders.shards import shard_file
from pairwright.reports.report import ReportConfig, report
from pairwright.schema import JUDGED_PAIR, dropped

ANSWER = "The sum of {n} and one is easy to find: it is {m}, as everybody knows who can count. " * 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        write_run(folder, given.rows)
        size = sum(p.stat().st_size for p in folder.glob("d*/*.parquet"))
        print(f"{given.rows:,} rows, {size / 2**20:,.0f} MiB")
        page = folder / "report.html"
        seconds: dict[str, list[float]] = {"bytes": [], "stats": [], "report": []}
        for _ in range(given.rounds):
            seconds["bytes"].append(timed(lambda: [p.read_bytes() for p in folder.glob("d*/*.parquet")]))
            seconds["stats"].append(timed(lambda: figures_of(folder)))
            seconds["report"].append(timed(lambda: report(ReportConfig(runs=(folder,), out=page))))
        for what, times in seconds.items():
            print(f"{what}: {statistics.median(times):.2f} s")
        print(f"report.html: {page.stat().st_size / 2**20:.2f} MiB")


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def write_run(folder: Path, rows: int, shard_size: int = 1000) -> Manifest:
    """A finished run folder of `rows` generated rows, as `judge` would have written it."""
    draw = np.random.default_rng(0)
    shards: dict[int, Shard] = {}
    for index, start in enumerate(range(0, rows, shard_size)):
        items = range(start, min(start + shard_size, rows))
        kept = [n for n in items if n % 3]
        lost = [n for n in items if n % 3 == 0]
        hashes = {}
        for part, numbers, schema in (("data", kept, JUDGED_PAIR), ("dropped", lost, dropped(JUDGED_PAIR))):
            if numbers:
                path = shard_file(folder, part, index)
                path.parent.mkdir(parents=True, exist_ok=True)
                table = pa.Table.from_pylist(generated(numbers, draw), schema=schema)
                pq.write_table(table, path, compression="zstd", write_page_checksum=True)
                hashes[part] = hashlib.sha256(path.read_bytes()).hexdigest()
        counts = {"kept": len(kept), "inconsistent": len(lost)}
        shards[index] = Shard(counts=counts, sha256=hashes, prompt_tokens=9000, completion_tokens=7000)
    manifest = Manifest(
        stage="judge",
        versions={},
        config={},
        semantic={},
        gate={},
        engines={"judge": "generated"},
        input=InputInfo(path="generated", sha256="", rows=rows),
        items=rows,
        shard_size=shard_size,
        shards=shards,
        complete=True,
        seconds=3600.0,
    )
    manifest.save(folder)
    return manifest


def generated(numbers: list[int], draw: np.random.Generator) -> list[dict[str, object]]:
    """Rows whose measures and verdicts are drawn at random."""
    shares = draw.random((len(numbers), 4))
    return [
        {
            "status": "inconsistent",
            "reason": "a judge prefers another answer when the order is turned round",
            "row_id": hashlib.sha256(str(n).encode()).hexdigest()[:16],
            "prompt_id": hashlib.sha256(str(n // 2).encode()).hexdigest()[:16],
            "prompt": [{"role": "user", "content": f"What is {n} plus one?"}],
            "chosen": [{"role": "assistant", "content": ANSWER.format(n=n, m=n + 1)}],
            "rejected": [{"role": "assistant", "content": ANSWER.format(n=n, m=n)}],
            "source": "on_policy_judge",
            "chosen_model": "generated",
            "rejected_model": "generated",
            "token_levenshtein": int(100 * a),
            "char_levenshtein": int(400 * a),
            "edit_distance": float(a),
            "jaccard": float(1 - a),
            "kept_share": float(1 - b),
            "common_prefix": int(50 * b),
            "length_ratio": float(0.5 + b),
            "changed_spans": [
                {"rejected_start": 46, "rejected_end": 47, "chosen_start": 46, "chosen_end": 47}
            ],
            "attempts": 1,
            "prompt_tokens": 9,
            "completion_tokens": 7,
            "verdict": {
                "preference": float(c),
                "consistent": bool(n % 3),
                "votes": [
                    {"judge": "judge", "chosen_first": True, "probability": float(c), "outside_mass": 0.01},
                    {"judge": "judge", "chosen_first": False, "probability": float(d), "outside_mass": 0.0},
                ],
            },
            "margin": float(abs(2 * c - 1)),
        }
        for n, (a, b, c, d) in zip(numbers, shares, strict=True)
    ]


if __name__ == "__main__":
    main()
