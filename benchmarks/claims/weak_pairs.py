"""SFT on the chosen side of weak pairs against DPO on them (T22)

After Geng et al. 2025, "The Delta Learning Hypothesis" (https://arxiv.org/abs/2507.06187): a chosen answer
worse than the student's own still teaches by how much it beats the rejected one, while SFT on it harms.
Weak and weaker are the model itself at a high and at a higher temperature; the student answers greedily.

python benchmarks/claims/weak_pairs.py [--seeds 3] [--temperatures 1.2,2.0]
"""

import numpy as np
from answered import asked, outcome, sampled, score, untrained
from made_pairs import HELD_OUT_SEED, made
from matched import Array, estimate
from trained import numbers, parser_of

LOSSES = {
    "SFT on chosen": {"loss": "rejection_sampling", "sft_weight": 1.0},
    "DPO": {"loss": "dpo"},
}


def main() -> None:
    """Train what is not in the cache, then print what each loss came to, and how weak the pairs are."""
    parser = parser_of(__doc__)
    parser.add_argument("--temperatures", type=numbers, default="1.2,2.0")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    kept = made(HELD_OUT_SEED, 40)
    before = untrained(args.cache, args.model)
    found: dict[str, list[Array]] = {}
    strengths: list[list[float]] = []
    for seed in range(args.seeds):
        some = made(seed, args.updates * args.pairs_per_update, without=kept)
        weak, weaker = (sampled(args.model, some, 1, t, args.cache) for t in args.temperatures)
        greedy = sampled(args.model, some, 1, 0.0, args.cache)
        sides = [[texts[0] for texts in side] for side in (weak, weaker, greedy)]
        right = [one.chosen for one in some]
        strengths.append([float(np.mean(list(map(score, side, right)))) for side in sides])
        rows = [
            {"prompt": asked(one), "completion": text, "rank": rank}
            for place, one in enumerate(some)
            for rank, text in enumerate((sides[0][place], sides[1][place]), start=1)
        ]
        for name, changes in LOSSES.items():
            settings = {"seed": seed, "max_steps": args.updates, "learning_rate": args.learning_rate}
            settings |= {"pairs_per_update": args.pairs_per_update} | changes
            after = outcome(rows, args.cache, args.model, **settings)
            found.setdefault(name, []).append(after - before)
    weak_mean, weaker_mean, own = np.mean(strengths, axis=0)
    print(f"scores: chosen {weak_mean:.1f}, rejected {weaker_mean:.1f}, the student's own {own:.1f}")
    print(f"held out, untrained: {before.mean():.1f}\n\n| | score, after − before | seeds |\n|---|---|---|")
    for name, gains in found.items():
        gain = estimate(np.stack(gains))
        print(f"| {name} | {gain:.1f} | {gain.sign} |")
    dpo, sft = (np.stack(found[name]) for name in ("DPO", "SFT on chosen"))
    print(f"\nDPO − SFT: {estimate(dpo - sft):.1f}")


if __name__ == "__main__":
    main()
