"""Minimality by CHES by loss, on the same pairs: what becomes of chosen answers (T19)

Pairs of one slip, and pairs in other words, to the same prompts; of each the quarter with the lowest and
the quarter with the highest CHES under the untrained model, kinds of slips alike. Expected of Razin et al.
2024: chosen answers sink under DPO where CHES is high. With `--ifeval`, also what share of IFEval's
instructions the trained models follow. Seeds are finished one after the other.

python benchmarks/claims/which_loss.py [--seeds 3] [--pairs similar] [--ifeval FILE] [--plots docs/claims]
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from followed import Followed
from matched import Array, common_gap, contrast, draw, estimate, table
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


class Cell(NamedTuple):
    """What came of a kind of pairs, an end of CHES and a loss; each list is over seeds."""

    runs: list[Curves]
    followed: list[Array]
    """Gains in the share of IFEval's instructions by prompt; empty without `--ifeval`."""


Cells = dict[tuple[str, str, str], Cell]


def main() -> None:
    """Train what is not in the cache, then print a table for each kind of pairs, and the contrasts."""
    parser = parser_of(__doc__)
    parser.add_argument("--pairs", default="similar,independent", help="kinds of pairs, with a comma")
    parser.add_argument("--ifeval", type=Path, help="IFEval's prompts, JSON lines")
    parser.set_defaults(updates=8)
    args = parser.parse_args()
    cells = trained(args)
    for pairs in args.pairs.split(","):
        groups = {f"{loss}, {end}": cells[pairs, end, loss].runs for loss in LOSSES for end in ENDS}
        print(f"\n{pairs} pairs\n\n{table(groups, common_gap(groups))}\n")
        for loss in LOSSES:
            high, low = (cells[pairs, end, loss].runs for end in ("high CHES", "low CHES"))
            print(contrast(f"{loss}: chosen, high − low CHES", high, low))
        for end in ENDS:
            for loss in list(LOSSES)[1:]:
                name = f"{end}: chosen, {loss} − DPO"
                print(contrast(name, cells[pairs, end, loss].runs, cells[pairs, end, "DPO"].runs))
        if args.ifeval:
            print(f"\n{instructions(cells, pairs)}")
        if args.plots:
            shown = {name: runs for name, runs in groups.items() if "down" not in name}
            draw(shown, args.plots / f"which_loss-{pairs}.png", f"{pairs} pairs, by loss and CHES")


def instructions(cells: Cells, pairs: str) -> str:
    """A table of the points that models gain in instructions followed, and of what differs from DPO."""
    lines = [f"| | {' | '.join(ENDS)} | beside DPO |", "|---|---|---|---|"]
    gains = {
        (loss, end): 100 * np.stack(cells[pairs, end, loss].followed) for loss in LOSSES for end in ENDS
    }
    for loss in LOSSES:
        ends = [f"{estimate(gains[loss, end]):.1f}" for end in ENDS]
        beside = np.mean([gains[loss, end] - gains["DPO", end] for end in ENDS], axis=0)
        lines.append(f"| {' | '.join([loss, *ends])} | {estimate(beside):.1f} |")
    return "\n".join(lines)


def trained(args: argparse.Namespace) -> Cells:
    """All cells, of every seed."""
    cells: Cells = {}
    setting = replace(asked(args), evaluations=2)
    count = args.updates * args.pairs_per_update
    ifeval = Followed(args.ifeval, args.cache) if args.ifeval else None
    for seed in range(args.seeds):
        for pairs in args.pairs.split(","):
            rows = pool(seed, count, pairs, args.held_out)
            for end, by in ENDS.items():
                training = picked(rows, count, by, args.cache, model=args.model)
                for loss, changes in LOSSES.items():
                    one = replace(setting, pairs=pairs, seed=seed, **changes)
                    cell = cells.setdefault((pairs, end, loss), Cell([], []))
                    if ifeval:
                        cell.followed.append(ifeval.gain(one, training))
                    cell.runs.append(curves(one, args.cache, training))
    return cells


if __name__ == "__main__":
    main()
