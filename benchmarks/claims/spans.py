"""Weights on the changed tokens against none, and a chain of edits against one pair (T23)

Both on pairs of one slip. The second has answers with three slips, each mended by an edit: as one pair of
the two ends, as three pairs of one edit each, and a third of the prompts in three pairs each, which are
as many pairs as the first. All are held against the same held-out pairs of one slip.

python benchmarks/claims/spans.py [--seeds 3] [--plots docs/claims]
"""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

from made_pairs import HELD_OUT_SEED, Made, as_row, joined, made
from matched import at_end, common_gap, contrast, draw, estimate, table
from trained import Curves, asked, curves, over_seeds, parser_of

SLIPS = 3
WEIGHTS = {"no weights": None, "changed alone": "changed:1,common:0", "changed fourfold": "changed:4"}


def main() -> None:
    """Train what is not in the cache, then print a table and contrasts for weights and for chains."""
    parser = parser_of(__doc__)
    parser.set_defaults(updates=8)
    args = parser.parse_args()
    weights = {name: over_seeds(args, evaluations=2, token_weight=said) for name, said in WEIGHTS.items()}
    chains = edit_chains(args)
    for title, groups in (("weights of tokens", weights), ("chains of edits", chains)):
        print(f"\n{title}\n\n{table(groups, common_gap(groups))}\n")
        first, *others = groups
        for name in others:
            print(contrast(f"chosen, {name} − {first}", groups[name], groups[first]))
            gain = at_end(groups[name], "right_TP") - at_end(groups[first], "right_TP")
            print(f"accuracy, {name} − {first}, points: {estimate(100 * gain)}")
        if args.plots:
            draw(groups, args.plots / f"spans-{title.split()[0]}.png", f"DPO, {title}")


def edit_chains(args: argparse.Namespace) -> dict[str, list[Curves]]:
    """Curves of the three ways to train on answers of several slips, a list over seeds of each."""
    count = args.updates * args.pairs_per_update
    kept = made(HELD_OUT_SEED, args.held_out)
    groups: dict[str, list[Curves]] = {}
    for seed in range(args.seeds):
        rows = list(edited(made(seed, SLIPS * count, without=kept)))
        one = replace(asked(args, evaluations=2), seed=seed)
        chain = replace(one, chain=True)
        wide = replace(chain, pairs_per_update=SLIPS * one.pairs_per_update)
        ways = {
            "one pair": (one, rows),
            "chain, same prompts": (wide, rows),
            "chain, as many pairs": (chain, rows[: -(-count // SLIPS)]),
        }
        for name, (setting, training) in ways.items():
            groups.setdefault(name, []).append(curves(setting, args.cache, training))
    return groups


def edited(some: Iterable[Made]) -> Iterable[dict[str, Any]]:
    """Several prompts in one, a slip in each part of the rejected answer, and the edits that mend them."""
    rest = iter(some)
    while parts := list(islice(rest, SLIPS)):
        row = as_row(joined(parts))
        wrong = " ".join(part.similar for part in parts)
        edits = [{"find": part.similar, "replace": part.chosen} for part in parts]
        yield row | {"rejected": [{"role": "assistant", "content": wrong}], "edits": edits}


if __name__ == "__main__":
    main()
