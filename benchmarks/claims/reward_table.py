"""The paper's table of reward models: base, more training, adversarial, GAIL, WGAN

Cheng et al. 2024 (arXiv 2311.08045), claims T15 and T16 of their ablation at the size at hand: does
teaching golden over sampled answers cost or gain accuracy on human pairs, and calibration?

    base         ranking on human pairs, one epoch
    more_bt      the same for as many updates as `adversarial` makes
    adversarial  ranking on human pairs + apo_coeff / samples * ranking on golden over sampled
    gail         golden over sampled alone (rm_kl 0)
    wgan         as adversarial, with the difference of rewards for golden pairs

python benchmarks/claims/reward_table.py --human HUMAN --golden GOLDEN --out DIR

HUMAN is a file of pairs; GOLDEN one of prompts with `golden`, `sampled` and perhaps `sampled_2`. The
length of answers is a control: `without length` is the accuracy that is left when differences of
rewards are regressed on differences of length; the last line says how far the longer answer gets.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from pairwright.sources import records
from train.reward_config import RewardConfig
from train.reward_report import REPORT
from train.trainer import train

VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "more_bt": {},
    "adversarial": {"golden": True},
    "gail": {"golden": True, "rm_kl": 0.0},
    "wgan": {"golden": True, "loss": "wgan"},
}


def main() -> None:
    """Train every variant under every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--human", required=True)
    parser.add_argument("--golden", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--pairs", type=int, default=1500)
    parser.add_argument("--golden_prompts", type=int, default=400)
    parser.add_argument("--max_length", type=int, default=512)
    parser.add_argument("--learning_rate", type=float, default=2e-5)
    parser.add_argument("--pairs_per_update", type=int, default=16)
    parser.add_argument("--apo_coeff", type=float, default=1.0)
    parser.add_argument("--eval_share", type=float, default=0.3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    golden, samples = golden_pairs(args)
    human = human_pairs(args)
    found: dict[str, list[dict[str, Any]]] = {}
    updates = 0
    for name in sorted(args.variants.split(","), key=lambda v: v == "more_bt"):  # it needs their number
        settings = dict(VARIANTS[name])
        if settings.pop("golden", False):
            settings |= {"golden_data": golden, "apo_samples": samples, "apo_coeff": args.apo_coeff}
        for seed in range(args.seeds):
            config = RewardConfig(
                **settings,
                model=args.model,
                data=human,
                output_dir=str(args.out / f"{name}-{seed}"),
                seed=seed,
                max_length=args.max_length,
                learning_rate=args.learning_rate,
                lr_scheduler_type="linear",
                pairs_per_update=args.pairs_per_update,
                eval_share=args.eval_share,
                max_steps=updates if name == "more_bt" else 0,
                save_steps=0,
            )
            result = train(config)
            updates = result.updates if name == "adversarial" else updates
            report = json.loads((args.out / f"{name}-{seed}" / REPORT).read_text())
            found.setdefault(name, []).append(report | {"updates": result.updates})
            (args.out / "table.json").write_text(json.dumps(found))
    show(found)


def golden_pairs(args: argparse.Namespace) -> tuple[str, int]:
    """A file of golden answers over each sampled one, and how many samples a golden answer has."""
    rows, most = [], 1
    for record in records(args.golden, args.golden_prompts):
        columns = [name for name in record if name.startswith("sampled")]
        most = max(most, len(columns))
        rows += [
            {"prompt": record["prompt"], "chosen": record["golden"], "rejected": record[name]}
            for name in columns
        ]
    return write(args.out / "golden_pairs.jsonl", rows), most


def human_pairs(args: argparse.Namespace) -> str:
    """A file of the first human pairs."""
    rows = [
        {name: record[name] for name in ("prompt", "chosen", "rejected")}
        for record in records(args.human, args.pairs)
    ]
    return write(args.out / "human_pairs.jsonl", rows)


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    """Write rows as JSONL; returns the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print the table as Markdown: means over seeds, the interval of the first seed's test pairs."""
    head = ("reward model", "updates", "human accuracy (95 %)", "without length", "ECE")
    print(f"| {' | '.join((*head, 'golden', 'without length'))} |\n{'|---' * 7}|")
    for name, reports in found.items():
        human, golden = ([report[kind] for report in reports] for kind in ("human", "golden"))

        def mean(some: list[dict[str, Any]], key: str) -> str:
            values = [report[key] for report in some if key in report]
            return f"{statistics.mean(values):.3f}" if values else "–"

        low, high = human[0]["accuracy_low"], human[0]["accuracy_high"]
        print(
            f"| {name} | {reports[0]['updates']} | {mean(human, 'accuracy')} ({low:.3f}–{high:.3f}) | "
            f"{mean(human, 'accuracy_without_length')} | {mean(human, 'ece')} | "
            f"{mean(golden, 'accuracy')} | {mean(golden, 'accuracy_without_length')} |"
        )
    seeds = len(next(iter(found.values())))
    first = next(iter(found.values()))[0]["human"]
    print(
        f"\n{first['pairs']} human test pairs, {first['bins']} bins, {seeds} seeds; "
        f"the longer answer is preferred in {first['longer_accuracy']:.3f} of them"
    )


if __name__ == "__main__":
    main()
