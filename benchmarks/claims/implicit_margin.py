"""Pairs of the smallest implicit margin against those of the largest, as many of each (T20)

Two papers contradict each other: Deng et al. 2025 (https://arxiv.org/abs/2502.14560) keep the largest,
Qi et al. 2025 (https://arxiv.org/abs/2508.04149) the smallest. The margin is that of a scout, which DPO
trained on other pairs, against the untrained model; what is trained then begins untrained.

python benchmarks/claims/implicit_margin.py [--seeds 3] [--plots docs/claims]
"""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

from made_pairs import HELD_OUT_SEED, as_row, made, write
from matched import at_end, common_gap, contrast, draw, estimate, table
from picked import POOL, Rows, picked
from trained import Curves, asked, curves, parser_of

import pairwright as pw
from pairwright.folders.durable import write_durably

WAYS = {"smallest": "implicit_margin", "largest": "implicit_margin:desc"}


def main() -> None:
    """Train what is not in the cache, then print the table and the contrasts."""
    parser = parser_of(__doc__)
    parser.set_defaults(updates=8)
    args = parser.parse_args()
    groups: dict[str, list[Curves]] = {}
    for seed in range(args.seeds):
        setting = replace(asked(args, evaluations=2), seed=seed)
        for name, rows in chosen(args, seed).items():
            groups.setdefault(name, []).append(curves(setting, args.cache, rows))
    print(f"{table(groups, common_gap(groups))}\n")
    for one, other in (("smallest", "largest"), ("smallest", "by lot"), ("largest", "by lot")):
        print(contrast(f"chosen, {one} − {other}", groups[one], groups[other]))
        gain = at_end(groups[one], "right_TP") - at_end(groups[other], "right_TP")
        print(f"accuracy, {one} − {other}, points: {estimate(100 * gain)}")
    if args.plots:
        draw(groups, args.plots / "implicit_margin.png", "DPO on pairs by their implicit margin")


def chosen(args: argparse.Namespace, seed: int) -> dict[str, Rows]:
    """Pairs for each way to choose; what was chosen stays in the cache, the scout does not."""
    count = args.updates * args.pairs_per_update
    known = args.cache / f"implicit_margin-{args.model.replace('/', '_')}-{count}-{seed}.json"
    if not known.exists():
        every = made(seed, (POOL + 1) * count, without=made(HELD_OUT_SEED, args.held_out))
        pool, others = ([as_row(one) for one in part] for part in (every[count:], every[:count]))
        scout = trained_on(args, others, args.cache / f"scout-{seed}")
        models = {"model": str(scout), "ref_model": args.model}
        ways: dict[str, Rows] = {
            name: picked(pool, count, by, args.cache, **models) for name, by in WAYS.items()
        }
        ways["by lot"] = [as_row(one) for one in every[count : 2 * count]]
        write_durably(known, json.dumps(ways).encode())
        shutil.rmtree(scout)
    found: dict[str, Rows] = json.loads(known.read_text())
    return found


def trained_on(args: argparse.Namespace, rows: Rows, folder: Path) -> Path:
    """A model that DPO trained on some pairs."""
    pw.train(
        model=args.model,
        data=(write(folder.with_suffix(".jsonl"), rows),),
        output_dir=str(folder),
        loss="dpo",
        learning_rate=args.learning_rate,
        lr_scheduler_type="constant",
        warmup_ratio=0.0,
        pairs_per_update=args.pairs_per_update,
        max_steps=args.updates,
        eval_share=0.0,
        save_steps=0,
        bf16=False,
        use_cpu=True,
        reference_store=str(args.cache / "reference"),
    )
    return folder


if __name__ == "__main__":
    main()
