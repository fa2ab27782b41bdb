"""Ideas that could make an update faster, each in turns with what is done now.

    python benchmarks/training_ideas.py IDEA --pairs FILE [--limit 3] [--dtype fp32] [--rounds 7]

What is printed is the median ratio of processor seconds over the rounds; one more warms up. What came of
each idea is in benchmarks/README.md.

    products     float32 products by MKL, by oneDNN, and by oneDNN in all but short attention (done)
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from update_sides import Ours

SWITCH: Any = torch.backends.mkldnn.matmul


def in_turns(ways: Mapping[str, Callable[[], Any]], rounds: int) -> None:
    """Run every way once a round; print each one's seconds, and the ratio of the first's to its own."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = time.process_time()
            way()
            if number:
                times[name].append(time.process_time() - started)
    first = next(iter(times.values()))
    for name, spent in times.items():
        ratios = sorted(a / b for a, b in zip(first, spent, strict=True))
        print(
            f"  {name:34} {statistics.median(spent):8.3f} s, ratio {statistics.median(ratios):.3f} "
            f"({ratios[0]:.3f} to {ratios[-1]:.3f})",
            flush=True,
        )


def products(args: argparse.Namespace) -> None:
    """Time whole updates with given reference log-probabilities."""
    from pairwright.models import products as ours

    side = Ours(args)
    indices = list(range(len(side._pairs)))
    long = ours._LONG

    def update(library: str, attention_from: int) -> Callable[[], Any]:
        def way() -> Any:
            SWITCH.fp32_precision, ours._LONG = library, attention_from
            return side.update(indices, with_reference=False)

        return way

    in_turns(
        {
            "MKL": update("ieee", long),
            "oneDNN, attention too": update("bf16", 0),
            "oneDNN, short attention by MKL": update("bf16", long),
        },
        args.rounds,
    )


IDEAS = {way.__name__: way for way in (products,)}


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("idea", choices=list(IDEAS))
    parser.add_argument("--pairs", required=True, help="pairs: run folder, Parquet or JSONL")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--loss", default="dpo")
    parser.add_argument("--limit", type=int, default=3, help="pairs of an update")
    parser.add_argument("--max_length", type=int, default=512)
    parser.add_argument("--micro_batch_tokens", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    args.edited = False
    torch.set_num_threads(args.threads)
    IDEAS[args.idea](args)


if __name__ == "__main__":
    main()
