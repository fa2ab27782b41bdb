"""Updates of DPO here and by TRL at one shape: pairs a second and peak memory, each in its turn.

    python benchmarks/gpu/speed.py --out DIR --shape 0.5b [--dtype bf16] [--device cuda] [--tiny]

Random weights, pairs of 4,096 tokens whose answers differ from their first word on; the reference beside
every update, which is TRL's default. TRL runs with gradient checkpointing off, as ours does.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

from made import peak_gib, save_model, save_pairs, tell

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from update_sides import Ours, Theirs  # a file of the folder above

VOCABULARY = 151_936


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shape", default="0.5b")
    parser.add_argument("--side", choices=["ours", "trl"], required=True)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    shape, size = ("tiny", 2) if options.tiny else (options.shape, 4)
    prompt, answer = (24, 8) if options.tiny else (3500, 500)
    model = save_model(options.out / f"model-{shape}", shape, 0 if options.tiny else VOCABULARY)
    pairs = save_pairs(options.out / f"pairs-{shape}.jsonl", size, prompt, answer)
    asked = argparse.Namespace(
        model=model,
        pairs=pairs,
        loss="dpo",
        dtype=options.dtype,
        limit=size,
        max_length=4608,
        micro_batch_tokens=2 * 4608,
        edited=False,
        trl_batch=1,
        trl_sorted=False,
    )
    side = (Ours if options.side == "ours" else Theirs)(asked)
    times, tokens = [], 0
    for number in range(options.rounds + 1):
        begun = time.perf_counter()
        loss, norm = side.update(list(range(size)), with_reference=True)
        if number:  # the first warms up and compiles
            times.append(time.perf_counter() - begun)
        else:
            peak_gib(options.device)
    seconds = statistics.median(times)
    tokens = sum(pair.tokens for pair in side._pairs)
    tell(
        options.out,
        "speed",
        side=options.side,
        shape=shape,
        dtype=options.dtype,
        pairs_per_s=size / seconds,
        tokens_per_s=tokens / seconds,
        peak_gib=peak_gib(options.device),
        loss=loss,
        gradient_norm=norm,
    )


if __name__ == "__main__":
    main()
