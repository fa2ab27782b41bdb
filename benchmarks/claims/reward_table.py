"""Claims T15, T16: the paper's table of reward models, on pairs of yours

Cheng et al. 2024 (arXiv 2311.08045): does teaching golden over sampled answers gain accuracy on human
pairs, and what does it do to calibration? Said of 7B: accuracy 63 % to 67 %, ECE .02 to .03; without human
pairs (GAIL) 57 % and .17; with the plain difference (WGAN) .07.

    base         ranking on human pairs, one epoch
    more_bt      the same for as many updates as `adversarial` makes
    adversarial  ranking on human pairs + apo_coeff / samples * ranking on golden over sampled
    gail         golden over sampled alone (rm_kl 0)
    wgan         as adversarial, with the difference of rewards for golden pairs
    sequential   as adversarial, from the weights of that one instead of the pretrained base

python benchmarks/claims/reward_table.py --human HUMAN --golden GOLDEN --out DIR

HUMAN is a file of pairs; GOLDEN one of prompts with `golden`, `sampled` and perhaps `sampled_2`. Prompts
to test on are the same under all seeds; a seed decides the head and the order. `without length` is the
accuracy that is left when differences of rewards are regressed on differences of length. Finished
trainings are not repeated: stop it at any time, go on by the same command.
"""

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pairwright.inputs.sources import records
from pairwright.models.loading import load_for_scoring, load_tokenizer
from train.forward.support import tree_support
from train.reward_model.config import RewardConfig
from train.reward_model.pairs import RewardPair, encode_reward_pairs
from train.reward_model.report import PairScores, assess, calibration, score_pairs
from train.training import train

VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "adversarial": {"golden": True},
    "gail": {"golden": True, "rm_kl": 0.0},
    "wgan": {"golden": True, "loss": "wgan"},
    "more_bt": {},
    "sequential": {"golden": True, "after": "adversarial"},
}
KINDS = ("human", "golden")
_RESAMPLES = 2000
_SIZE = 2048
"""Most tokens of a forward pass."""
Scores = dict[str, PairScores]
"""Of test pairs, by kind."""


def main() -> None:
    """Train every variant under every seed; print the table of what is there after each seed."""
    args = arguments().parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    files = {kind: split(args, kind) for kind in KINDS}
    found: dict[str, list[Scores]] = {name: [] for name in VARIANTS if name in args.variants.split(",")}
    updates: dict[str, int] = {}
    for seed in range(args.seeds):
        for name, scores in found.items():
            config = settings(args, name, seed, files, updates)
            updates[name] = train(config).updates
            scores.append(test(config, files))
        print(table(found, updates, args.bins), flush=True)


def arguments() -> argparse.ArgumentParser:
    """The flags; small runs of small models take all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--human", required=True)
    parser.add_argument("--golden", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--max_length", type=int, default=512, help="longer pairs are left out")
    for kind, train_pairs, test_pairs in (("human", 1000, 500), ("golden", 500, 300)):
        parser.add_argument(f"--{kind}_train", type=int, default=train_pairs)
        parser.add_argument(f"--{kind}_test", type=int, default=test_pairs)
    parser.add_argument("--learning_rate", type=float, default=2e-5)
    parser.add_argument("--pairs_per_update", type=int, default=16)
    parser.add_argument("--apo_coeff", type=float, default=1.0)
    parser.add_argument("--lora_r", type=int, default=0)
    parser.add_argument("--lora_target_modules", default="")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--bins", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    return parser


def settings(
    args: argparse.Namespace,
    name: str,
    seed: int,
    files: Mapping[str, tuple[str, str]],
    updates: Mapping[str, int],
) -> RewardConfig:
    """Those of one training."""
    variant = {"model": args.model, **VARIANTS[name]}
    if before := variant.pop("after", None):
        variant["model"] = str(args.out / f"{before}-{seed}")
    if variant.pop("golden", False):
        variant |= {"golden_data": files["golden"][0], "apo_samples": args.samples}
        variant |= {"apo_coeff": args.apo_coeff}
    return RewardConfig(
        **variant,
        data=files["human"][0],
        output_dir=str(args.out / f"{name}-{seed}"),
        seed=seed,
        max_length=args.max_length,
        learning_rate=args.learning_rate,
        lr_scheduler_type="linear",
        pairs_per_update=args.pairs_per_update,
        max_steps=updates["adversarial"] if name == "more_bt" else 0,
        lora_r=args.lora_r,
        lora_target_modules=args.lora_target_modules,
        bf16=args.bf16,
        bins=args.bins,
        eval_share=0.0,
        save_steps=0,
        use_cpu=not torch.cuda.is_available(),
    )


def split(args: argparse.Namespace, kind: str) -> tuple[str, str]:
    """Files of pairs to train and to test on, short enough, in an order that the data do not decide."""
    rows = human_rows(args) if kind == "human" else golden_rows(args)
    by_prompt: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_prompt.setdefault(json.dumps(row["prompt"]), []).append(row)
    prompts = sorted(by_prompt)
    random.Random(0).shuffle(prompts)
    shuffled = [row for prompt in prompts for row in by_prompt[prompt]]
    whole = write(args.out / f"{kind}.jsonl", shuffled)
    config = RewardConfig(model=args.model, data=whole, output_dir="-", max_length=args.max_length)
    kept = {pair.row_id for pair in encoded(whole, config)}
    short = [row for row in shuffled if row["row_id"] in kept]
    test_pairs, train_pairs = (getattr(args, f"{kind}_{use}") for use in ("test", "train"))
    tested = {json.dumps(row["prompt"]) for row in short[:test_pairs]}
    training = [row for row in short[test_pairs:] if json.dumps(row["prompt"]) not in tested]
    return (
        write(args.out / f"{kind}_train.jsonl", training[:train_pairs]),
        write(args.out / f"{kind}_test.jsonl", short[:test_pairs]),
    )


def human_rows(args: argparse.Namespace) -> list[dict[str, Any]]:
    """All human pairs."""
    return [
        {name: record[name] for name in ("prompt", "chosen", "rejected")} | {"row_id": f"human-{n}"}
        for n, record in enumerate(records(args.human))
    ]


def golden_rows(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Each golden answer over each sampled one; `args.samples` is the most that one answer has."""
    rows = []
    args.samples = 1
    for n, record in enumerate(records(args.golden)):
        columns = sorted(name for name in record if name.startswith("sampled"))
        args.samples = max(args.samples, len(columns))
        for name in columns:
            row = {"prompt": record["prompt"], "chosen": record["golden"], "rejected": record[name]}
            rows.append(row | {"row_id": f"golden-{n}-{name}"})
    return rows


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as JSONL; returns the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def encoded(path: str, config: RewardConfig) -> list[RewardPair]:
    """The pairs of a file that are not too long."""
    return encode_reward_pairs([path], config, load_tokenizer(config.model), golden=False).kept


def test(config: RewardConfig, files: Mapping[str, tuple[str, str]]) -> Scores:
    """Rewards of the test pairs, kept beside the model."""
    kept = Path(config.output_dir) / "test_scores.json"
    if not kept.exists():
        model = load_for_scoring(config.output_dir, "float32", "cpu").model
        model = model.to("cpu" if config.use_cpu else "cuda")
        tree_support(model)  # found out in float32, as in training
        with torch.autocast(model.device.type, torch.bfloat16, enabled=bool(config.bf16)):
            found = {
                kind: score_pairs(model, encoded(files[kind][1], config), budget=_SIZE)._asdict()
                for kind in KINDS
            }
        lists = {
            kind: {name: v.tolist() for name, v in some.items() if name != "subsets"}
            for kind, some in found.items()
        }
        kept.write_text(json.dumps(lists))
    read = json.loads(kept.read_text())
    return {
        kind: PairScores(**{name: np.array(v) for name, v in some.items()}) for kind, some in read.items()
    }


def table(found: Mapping[str, Sequence[Scores]], updates: Mapping[str, int], bins: int) -> str:
    """Means over seeds, with 95 % intervals by resampling test pairs, each with all its seeds."""
    head = ("reward model", "updates", "human accuracy", "− base", "without length", "ECE", "− base")
    head = (*head, "golden accuracy", "without length")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, seeds in found.items():
        human = [scores["human"] for scores in seeds]
        base = [scores["human"] for scores in found["base"]] if "base" in found else human
        golden = [assess(scores["golden"], bins=bins) for scores in seeds]
        cells = (
            str(updates[name]),
            interval(human, accuracy),
            "" if name == "base" else difference(human, base, accuracy),
            f"{np.mean([assess(s, bins=bins)['accuracy_without_length'] for s in human]):.3f}",
            interval(human, lambda s: calibration(s.chosen, s.rejected, bins).ece),
            ""
            if name == "base"
            else difference(human, base, lambda s: calibration(s.chosen, s.rejected, bins).ece),
            f"{np.mean([g['accuracy'] for g in golden]):.3f}",
            f"{np.mean([g['accuracy_without_length'] for g in golden]):.3f}",
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    first = next(iter(found.values()))
    looked = [assess(first[0][kind], bins=bins) for kind in KINDS]
    lines.append(
        f"\n{looked[0]['pairs']} human and {looked[1]['pairs']} golden test pairs, {len(first)} seeds, "
        f"{bins} bins; the longer answer is the better one in {looked[0]['longer_accuracy']:.3f} and "
        f"{looked[1]['longer_accuracy']:.3f} of them\n"
    )
    return "\n".join(lines)


def accuracy(scores: PairScores) -> float:
    """Strict: a tie is wrong."""
    return float((scores.chosen > scores.rejected).mean())


def resamples(pairs: int) -> np.ndarray[Any, Any]:
    """Which pairs are in each sample of a bootstrap, the same for all that is compared."""
    return np.random.default_rng(0).integers(pairs, size=(_RESAMPLES, pairs))


def mean_of(seeds: Sequence[PairScores], measure: Any, places: Any = slice(None)) -> float:
    """Mean over seeds of a measure of some of the pairs."""
    return float(np.mean([measure(PairScores(*(part[places] for part in seed[:4]))) for seed in seeds]))


def interval(seeds: Sequence[PairScores], measure: Any) -> str:
    """A mean over seeds with its interval."""
    drawn = [mean_of(seeds, measure, places) for places in resamples(len(seeds[0].chosen))]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{mean_of(seeds, measure):.3f} ({low:.3f} to {high:.3f})"


def difference(seeds: Sequence[PairScores], base: Sequence[PairScores], measure: Any) -> str:
    """The same of a difference, pair by pair."""
    drawn = [
        mean_of(seeds, measure, places) - mean_of(base, measure, places)
        for places in resamples(len(seeds[0].chosen))
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{mean_of(seeds, measure) - mean_of(base, measure):+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
