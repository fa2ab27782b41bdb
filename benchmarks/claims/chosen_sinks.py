"""DPO lowers the chosen answer where it is like the rejected one (T4)

The same prompts and the same chosen answers twice: against the chosen answer with one slip, and against
a wrong answer in other words. Expected: the log-ratio of held-out chosen answers falls for the first, and
falls less, or rises, for the second. A third set has the model's own answers as chosen ones.

python benchmarks/claims/chosen_sinks.py [--seeds 3] [--plots docs/claims]
"""

from matched import at_end, common_gap, contrast, draw, estimate, table
from trained import PAIRS, over_seeds, parser_of


def main() -> None:
    """Train what is not in the cache, then print the table and the contrast."""
    args = parser_of(__doc__).parse_args()
    groups = {f"{pairs} pairs": over_seeds(args, pairs=pairs) for pairs in PAIRS}
    gap = common_gap(groups)
    print(table(groups, gap))
    print()
    similar, independent, _ = groups.values()
    print(contrast("chosen, similar − independent", similar, independent))
    kinds_P = similar[0].kinds_P
    print("\n| similar pairs by kind of slip | chosen | rejected | accuracy |\n|---|---|---|---|")
    for kind in sorted(set(kinds_P)):
        where = kinds_P == kind
        sides = ("chosen_TP", "rejected_TP", "right_TP")
        chosen, rejected, right = (at_end(similar, side)[:, where] for side in sides)
        print(f"| {kind} | {estimate(chosen)} | {rejected.mean():+.2f} | {right.mean():.3f} |")
    if args.plots:
        draw(groups, args.plots / "chosen_sinks.png", "DPO on similar and on independent pairs")


if __name__ == "__main__":
    main()
