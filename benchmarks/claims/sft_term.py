"""RPO's SFT term holds chosen answers up, the more the larger its weight (T8)

DPO with η · β · NLL of the chosen answer, summed over its tokens, as in RPO's theory. Expected: chosen
log-ratios rise with every η, and for some η they do not fall at no more than 2 points of accuracy.

python benchmarks/claims/sft_term.py [--etas 0,0.005,0.05] [--plots docs/claims] [--plots docs/claims]
"""

from itertools import pairwise

from matched import at_end, common_gap, contrast, draw, estimate, table
from trained import PAIRS, Curves, numbers, over_seeds, parser_of


def main() -> None:
    """Train what is not in the cache, then print the table, each step of η, and what accuracy it cost."""
    parser = parser_of(__doc__)
    parser.add_argument("--etas", type=numbers, default="0,0.005,0.05")
    parser.add_argument("--pairs", choices=PAIRS, default="similar")
    args = parser.parse_args()
    groups: dict[str, list[Curves]] = {}
    for eta in args.etas:
        term = {"sft_weight": eta, "sft_reduction": "sum", "sft_times_beta": True} if eta else {}
        groups[f"η {eta:g}"] = over_seeds(args, pairs=args.pairs, **term)
    gap = common_gap(groups)
    print(table(groups, gap))
    print()
    for less, more in pairwise(groups):
        print(contrast(f"chosen, {more} − {less}", groups[more], groups[less]))
    first, *others = groups
    for name in others:
        cost = estimate(100 * (at_end(groups[first], "right_TP") - at_end(groups[name], "right_TP")))
        print(f"accuracy that {name} costs, points: {cost}")
    if args.plots:
        title = f"DPO with the SFT term of RPO, {args.pairs} pairs, beta 0.1"
        draw(groups, args.plots / f"sft_term-{args.pairs}.png", title)


if __name__ == "__main__":
    main()
