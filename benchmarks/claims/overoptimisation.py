"""Claim T18: whether an SFT term slows over-optimisation

Liu et al. 2024, RPO (arXiv 2405.16436): the SFT term of chosen answers keeps a policy from answers of which
preference data say nothing. Gao et al. 2023 (arXiv 2210.10760): proxy and gold scores part as a policy is
trained on.

python benchmarks/claims/overoptimisation.py

On the letters toy: a reward model trained on human pairs alone is the proxy; best and worst by it of six
answers to a prompt are the pairs; every row is a training of its own of so many updates, and both score
its fresh answers. Scores are in standard deviations of the start's answers; `gap` is what the proxy
claims to have gained beyond what the gold scorer sees. Letters an answer stand beside it.
"""

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from toy_games import Toy, gold, markdown, over_seeds, parser_of, seeds_of, toy_of

from pairwright.folders.shards import read_tables
from pairwright.stages.sample import SampleConfig, sample
from train.adversarial.measures import kl_from_start
from train.preference.config import TrainConfig
from train.reward_model.config import RewardConfig, ScoreConfig
from train.reward_model.score import score
from train.training import train

LOSSES: dict[str, dict[str, Any]] = {
    "dpo": {},
    "rpo_mean": {"sft_weight": 0.2},
    "rpo_sum": {"sft_weight": 0.2, "sft_reduction": "sum"},
}


class Look(NamedTuple):
    """Answers of a policy."""

    proxy: list[float]
    gold: list[float]
    letters: float
    kl: float


def main() -> None:
    """Train each loss for each number of updates under each seed."""
    parser = parser_of(__doc__)
    parser.add_argument("--updates", default="4,8,16,32,64")
    parser.add_argument("--losses", default=",".join(LOSSES))
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--prompts", type=int, default=128)
    args = parser.parse_args()
    updates = [int(count) for count in args.updates.split(",")]
    toys = [toy_of(args, seed) for seed in seeds_of(args)]
    starts = [look(toy, toy.settings["model"], prepared(toy, args)) for toy in toys]
    rows = []
    gaps: dict[str, list[float]] = {}
    for loss in args.losses.split(","):
        for count in updates:
            policies = [trained(toy, args, loss, count) for toy in toys]
            looks = [look(t, p, t.folder / "over") for t, p in zip(toys, policies, strict=True)]
            moved = [standardised(now, start) for now, start in zip(looks, starts, strict=True)]
            gaps[loss] = [proxy - true for proxy, true in moved]
            columns = ([one.kl for one in looks], *zip(*moved, strict=True), gaps[loss])
            cells = [over_seeds(column) for column in (*columns, [one.letters for one in looks])]
            rows.append([loss, str(count), *cells])
    print(markdown(["loss", "updates", "KL, nats", "proxy", "gold", "gap", "letters"], rows) + "\n")
    for loss in gaps:
        if loss != "dpo" and "dpo" in gaps:
            smaller = sum(a < b for a, b in zip(gaps[loss], gaps["dpo"], strict=True))
            print(f"{loss}: a smaller last gap than dpo in {smaller} of {len(toys)} seeds")


def prepared(toy: Toy, args: argparse.Namespace) -> Path:
    """A folder with the proxy and with scored answers of the start."""
    here, config = toy.folder / "over", toy.config()
    train(
        RewardConfig(
            model=config.model,
            data=config.human,
            output_dir=str(here / "proxy"),
            learning_rate=config.reward.learning_rate,
            lr_scheduler_type="linear",
            num_train_epochs=config.reward.num_train_epochs,
            pairs_per_update=config.reward.pairs_per_update,
            **common(toy),
        )
    )
    prompts = here / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": f"o{n}"}) + "\n" for n in range(args.prompts)))
    scored_answers(toy, config.model, here / "pairs", n=6)
    return here


def common(toy: Toy) -> dict[str, Any]:
    """Settings of every training here."""
    names = ("micro_batch_tokens", "bf16", "use_cpu", "save_steps", "seed")
    return {name: toy.settings["train"][name] for name in names} | {"eval_share": 0.0}


def scored_answers(toy: Toy, policy: str, out: Path, n: int) -> Path:
    """A run of a policy's answers with the proxy's scores."""
    prompts, size = str(toy.folder / "over" / "prompts.jsonl"), toy.config().score.batch_size
    said, device = str(out.with_name(out.name + "-answers")), {"batch_size": size, "device": "cpu"}
    sample(
        SampleConfig(
            input=prompts, out=said, policy=f"hf:{policy}", n=n, temperature=1.0, max_tokens=12, **device
        )
    )
    proxy = str(toy.folder / "over" / "proxy")
    score(ScoreConfig(reward_model=proxy, input=said, out=str(out), **device))
    return out


def trained(toy: Toy, args: argparse.Namespace, loss: str, count: int) -> str:
    """The policy after so many updates on the proxy's pairs."""
    out = toy.folder / "over" / f"{loss}-{count}"
    train(
        TrainConfig(
            model=toy.settings["model"],
            data=str(toy.folder / "over" / "pairs"),
            output_dir=str(out),
            loss="dpo",
            beta=args.beta,
            learning_rate=args.learning_rate,
            lr_scheduler_type="constant",
            max_steps=count,
            reference_store="none",
            **LOSSES[loss],
            **common(toy),
        )
    )
    return str(out)


def look(toy: Toy, policy: str, here: Path) -> Look:
    """What both scorers say of a policy's fresh answers."""
    out = scored_answers(toy, policy, here / f"look-{Path(policy).name}", n=2)
    rows = [row for table in read_tables(out) for row in table.to_pylist()]
    texts = [row["completion"][0]["content"] for row in rows]
    drift = kl_from_start(out, policy, toy.settings["model"], size=128, use_cpu=True)["kl"]
    return Look([row["score"] for row in rows], list(map(gold, texts)), mean(map(len, texts)), drift)


def standardised(now: Look, start: Look) -> tuple[float, float]:
    """Gains of proxy and gold in standard deviations of the start."""
    return tuple(  # type: ignore[return-value]
        (mean(after) - mean(before)) / stdev(before)
        for after, before in ((now.proxy, start.proxy), (now.gold, start.gold))
    )


if __name__ == "__main__":
    main()
