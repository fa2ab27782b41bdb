"""DPO lowers the chosen answer where it is like the rejected one (T4)

The same prompts and the same chosen answers twice: against the chosen answer with one slip, and against
a wrong answer in other words. Expected: the log-ratio of held-out chosen answers falls for the first, and
falls less, or rises, for the second. `--own` adds pairs with the model's own answers as chosen ones.

python benchmarks/claims/chosen_sinks.py [--own] [--seeds 3] [--plots docs/claims]
"""

from matched import at_end, common_gap, contrast, draw, estimate, table
from trained import over_seeds, parser_of


def main() -> None:
    """Train what is not in the cache, then print the table, the contrast, and similar pairs by kind."""
    parser = parser_of(__doc__)
    parser.add_argument("--own", action="store_true", help="the model's own answers too")
    args = parser.parse_args()
    similar, independent = (over_seeds(args, pairs=pairs) for pairs in ("similar", "independent"))
    groups = {"similar": similar, "independent": independent}
    if args.own:
        groups["own"] = over_seeds(args, pairs="own")
    print(table(groups, common_gap(groups)))
    print()
    print(contrast("chosen, similar − independent", similar, independent))
    kinds_P = similar[0].kinds_P
    print("\n| similar, by kind of slip | chosen | rejected | accuracy |\n|---|---|---|---|")
    for kind in sorted(set(kinds_P)):
        sides = ("chosen_TP", "rejected_TP", "right_TP")
        chosen, rejected, right = (at_end(similar, side)[:, kinds_P == kind] for side in sides)
        print(f"| {kind} | {estimate(chosen)} | {rejected.mean():+.2f} | {right.mean():.3f} |")
    if args.plots:
        draw(groups, args.plots / "chosen_sinks.png", "DPO on similar and on independent pairs")


if __name__ == "__main__":
    main()
