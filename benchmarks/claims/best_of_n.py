"""Best over worst against best over mean − 2σ, as the number of answers to choose from grows (T21)

Answers are the model's own, scored by how like they are to the right one. Expected of Xiao et al. 2025
(https://arxiv.org/abs/2502.16825): the worst of more answers makes a worse rejected one, the answer
nearest to two standard deviations below the mean does not. Of two answers both are the same pair.

python benchmarks/claims/best_of_n.py [--seeds 3] [--ns 2,8,32]
"""

import argparse
from typing import Any

import numpy as np
from answered import Rows, asked, outcome, sampled, score, untrained
from made_pairs import HELD_OUT_SEED, made
from matched import Array, estimate
from trained import numbers, parser_of

from pairwright.inputs.pairs import places_of_pairs

WAYS = ("best_worst", "mean_minus_2sd")
MOST = 32


def main() -> None:
    """Train what is not in the cache, then print what each way to choose came to."""
    parser = parser_of(__doc__)
    parser.add_argument("--ns", type=numbers, default="2,8,32")
    parser.set_defaults(updates=6)
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    before = untrained(args.cache, args.model)
    found: dict[tuple[int, str], list[Array]] = {}
    apart: dict[tuple[int, str], list[float]] = {}
    for seed in range(args.seeds):
        answers = scored(args, seed)
        for n in map(int, args.ns):
            for way in WAYS if n > 2 else WAYS[:1]:
                rows = [row for prompt in answers for row in prompt[:n]]
                settings = {"loss": "dpo", "pairs": way, "seed": seed, "max_steps": args.updates}
                settings |= {"learning_rate": args.learning_rate, "pairs_per_update": args.pairs_per_update}
                after = outcome(rows, args.cache, args.model, **settings)
                found.setdefault((n, way), []).append(after - before)
                apart.setdefault((n, way), []).append(difference(answers, n, way))
    print(f"untrained: {before.mean():.1f}\n")
    print("| answers | rejected | apart | score, after − before | seeds |")
    print("|---|---|---|---|---|")
    for (n, way), gains in found.items():
        gain = estimate(np.stack(gains))
        print(f"| {n} | {way} | {np.mean(apart[n, way]):.1f} | {gain:.1f} | {gain.sign} |")
    for n in (int(n) for n in args.ns if n > 2):
        worst, nearer = (np.stack(found[n, way]) for way in WAYS)
        print(f"mean − 2σ over worst, {n} answers: {estimate(nearer - worst):.1f}")


def scored(args: argparse.Namespace, seed: int) -> list[Rows]:
    """For each prompt its sampled answers with their scores, as rows."""
    kept = made(HELD_OUT_SEED, 40)
    some = made(seed, args.updates * args.pairs_per_update, without=kept)
    said = sampled(args.model, some, MOST, 1.0, args.cache)
    return [[_row(one, text) for text in texts] for one, texts in zip(some, said, strict=True)]


def _row(one: Any, text: str) -> dict[str, Any]:
    return {"prompt": asked(one), "completion": text, "score": score(text, one.chosen)}


def difference(answers: list[Rows], n: int, way: str) -> float:
    """How far apart the scores of chosen and rejected are in the mean."""
    found = []
    for rows in answers:
        scores = sorted((row["score"] for row in rows[:n] if row["completion"]), reverse=True)
        [(best, worst)] = places_of_pairs(scores, way)  # type: ignore[arg-type]
        found.append(scores[best] - scores[worst])
    return float(np.mean(found))


if __name__ == "__main__":
    main()
