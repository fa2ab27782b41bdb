"""Minimality by CHES by loss, on the same pairs: what becomes of chosen answers (T19)

Pairs of one slip, and pairs in other words, to the same prompts; of each the quarter with the lowest and
the quarter with the highest CHES under the untrained model, kinds of slips alike. Expected of Razin et al.
2024: chosen answers sink under DPO where CHES is high. Seeds are finished one after the other.

python benchmarks/claims/which_loss.py [--seeds 3] [--pairs similar] [--plots docs/claims]
"""

import argparse
from dataclasses import replace
from typing import Any

from matched import common_gap, contrast, draw, table
from picked import picked, pool
from trained import Curves, asked, curves, parser_of

LOSSES: dict[str, dict[str, Any]] = {
    "DPO": {},
    "APO-zero": {"loss": "apo_zero"},
    "APO-down": {"loss": "apo_down"},
    "DPO + SFT": {"sft_weight": 0.05, "sft_reduction": "sum", "sft_times_beta": True},
    "DPO, changed tokens": {"token_weight": "changed:1,common:0"},
}
ENDS = {"low CHES": "ches_normalized", "high CHES": "ches_normalized:desc"}
Cells = dict[tuple[str, str, str], list[Curves]]


def main() -> None:
    """Train what is not in the cache, then print a table for each kind of pairs, and the contrasts."""
    parser = parser_of(__doc__)
    parser.add_argument("--pairs", default="similar,independent", help="kinds of pairs, with a comma")
    parser.set_defaults(updates=8)
    args = parser.parse_args()
    cells = trained(args)
    for pairs in args.pairs.split(","):
        groups = {f"{loss}, {end}": cells[pairs, end, loss] for loss in LOSSES for end in ENDS}
        print(f"\n{pairs} pairs\n\n{table(groups, common_gap(groups))}\n")
        for loss in LOSSES:
            high, low = (cells[pairs, end, loss] for end in ("high CHES", "low CHES"))
            print(contrast(f"{loss}: chosen, high − low CHES", high, low))
        for end in ENDS:
            for loss in list(LOSSES)[1:]:
                name = f"{end}: chosen, {loss} − DPO"
                print(contrast(name, cells[pairs, end, loss], cells[pairs, end, "DPO"]))
        if args.plots:
            shown = {name: runs for name, runs in groups.items() if "down" not in name}
            draw(shown, args.plots / f"which_loss-{pairs}.png", f"{pairs} pairs, by loss and CHES")


def trained(args: argparse.Namespace) -> Cells:
    """Curves of every cell, a list over seeds."""
    cells: Cells = {}
    setting = replace(asked(args), evaluations=2)
    count = args.updates * args.pairs_per_update
    for seed in range(args.seeds):
        for pairs in args.pairs.split(","):
            rows = pool(seed, count, pairs, args.held_out)
            for end, by in ENDS.items():
                training = picked(rows, count, by, args.cache, model=args.model)
                for loss, changes in LOSSES.items():
                    one = replace(setting, pairs=pairs, seed=seed, **changes)
                    cells.setdefault((pairs, end, loss), []).append(curves(one, args.cache, training))
    return cells


if __name__ == "__main__":
    main()
