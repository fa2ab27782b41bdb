"""What a loss without a reference saves: whole trainings with dpo, with simpo, and with a second model.

    python benchmarks/without_reference.py [--pairs FILE] [--model smollm2] [--limit 32] [--max_steps 2]

Each training is a process of its own, in turns, with nothing known from earlier runs; `ref_model` stands
for a reference that is a model beside the one that is trained (a copy of it). Seconds are the processor's,
of the whole process with its start; memory is the peak that `train.json` has.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ARMS = {"simpo": (), "dpo": (), "dpo with ref_model": ("--ref_model", "MODEL")}


def trained(args: argparse.Namespace, arm: str, output: Path) -> dict[str, float]:
    """Processor seconds and peak memory of one training in a process of its own."""
    more = [args.model if part == "MODEL" else part for part in ARMS[arm]]
    command = [
        *(sys.executable, "-m", "pairwright", "train", "--loss", arm.split()[0], *more),
        *("--model", args.model, "--data", args.pairs, "--output_dir", str(output)),
        *("--limit", str(args.limit), "--max_steps", str(args.max_steps), "--eval_share", "0"),
        *("--pairs_per_update", "8", "--max_length", "512", "--save_steps", "0"),
        *("--reference_store", "none", "--use_cpu"),
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    record = json.loads((output / "train.json").read_text())
    return {"seconds": seconds, "gib": record["peak_memory_gib"]}


def main() -> None:
    """Train in turns, and print the medians of each arm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", default="examples/game/human.jsonl")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--limit", type=int, default=32)
    parser.add_argument("--max_steps", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as work:
        for repeat in range(args.repeats):
            for number, arm in enumerate(ARMS):
                found[arm].append(trained(args, arm, Path(work) / f"{repeat}-{number}"))
    for arm, runs in found.items():
        seconds, gib = (statistics.median(run[name] for run in runs) for name in ("seconds", "gib"))
        print(f"{arm:20} {seconds:7.1f} s  {gib:5.2f} GiB  (medians of {len(runs)})")


if __name__ == "__main__":
    main()
