"""What anchors do to the chosen answer: DPO, APO-zero, APO-down (T5, T6, T7)

- T5: APO-down lowers chosen answers more than DPO does, at the same gap;
- T6: APO-zero keeps them higher than DPO, once rewards are no longer small;
- T7 (`--independent`, instead): under APO-down on independent pairs Δ_l / Δ_w goes towards 2.

python benchmarks/claims/anchors.py [--plots docs/claims]
python benchmarks/claims/anchors.py --independent --updates 36
"""

from collections.abc import Sequence

import numpy as np
from matched import at_end, common_gap, contrast, draw, table
from trained import Curves, numbers, over_seeds, parser_of

LOSSES = "dpo", "apo_zero", "apo_down"


def main() -> None:
    """Train what is not in the cache, then print tables and contrasts."""
    parser = parser_of(__doc__)
    parser.add_argument("--betas", type=numbers, default="0.1")
    parser.add_argument("--independent", action="store_true", help="T7 alone")
    args = parser.parse_args()
    if args.independent:
        settle(over_seeds(args, loss="apo_down", pairs="independent"))
        return
    for beta in args.betas:
        groups = {loss: over_seeds(args, loss=loss, beta=beta) for loss in LOSSES}
        gap = common_gap(groups)
        rewards = [beta * np.abs(at_end(runs)).mean() for runs in groups.values()]
        print(f"beta {beta}; mean |reward| of chosen answers at the end {max(rewards):.2f} at most\n")
        print(table(groups, gap))
        print()
        for loss in LOSSES[1:]:
            print(contrast(f"chosen, {loss} − dpo", groups[loss], groups["dpo"]))
        print()
        if args.plots:
            draw(groups, args.plots / f"anchors-{beta}.png", f"Similar pairs, beta {beta}")


def settle(runs: Sequence[Curves]) -> None:
    """Print how far chosen and rejected answers fell, at every evaluation after the first update."""
    print("| seed | after updates | chosen | rejected | rejected / chosen |\n|---|---|---|---|---|")
    for seed, run in enumerate(runs):
        chosen_T, rejected_T = run.chosen_TP.mean(1), run.rejected_TP.mean(1)
        for step, chosen, rejected in zip(run.steps_T[1:], chosen_T[1:], rejected_T[1:], strict=True):
            print(f"| {seed} | {step} | {chosen:+.2f} | {rejected:+.2f} | {rejected / chosen:.2f} |")


if __name__ == "__main__":
    main()
