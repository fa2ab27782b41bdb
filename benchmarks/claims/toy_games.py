"""Games of the letters toy, played once and kept, for the claims that need a gold scorer

The toy is that of the tests (`tests/game_toy.py`): a model of 22,000 weights writes strings of two letters;
the gold scorer, which no game ever sees, wants three `a` in seven letters; human pairs show at most three.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
from game_toy import Toy, answers_of, gold, golden_string, human_pairs, strings
from in_sections import changed
from tiny_model import save_tiny_model, write_jsonl

from pairwright.models.loading import load_for_scoring, load_tokenizer
from train.adversarial.game import game
from train.reward_model.config import RewardConfig
from train.reward_model.pairs import encode_reward_pairs
from train.reward_model.report import PairScores, score_pairs

__all__ = [
    "LOSSES",
    "Toy",
    "answers_of",
    "apart_in_gold",
    "gold",
    "gold_of",
    "golden_over",
    "golden_string",
    "human_pairs",
    "markdown",
    "over_seeds",
    "parser_of",
    "play",
    "rewards_of",
    "save_tiny_model",
    "seeds_of",
    "strings",
    "toy_of",
    "write_jsonl",
]

Texts = tuple[str, str]
"""A better and a worse answer."""
LOSSES: dict[str, dict[str, Any]] = {
    "rejection_sampling": {},
    "dpo": {"loss": "dpo", "learning_rate": "1e-3", "sft_weight": 0.0},
}
"""Of the language model, with the settings that suit it."""


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """The flags that all claims on the toy share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/toy"), help="folder of the games")
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="prompts of either half")
    parser.add_argument("--epochs", type=int, help="passes of either model over its data")
    return parser


def seeds_of(args: argparse.Namespace) -> list[int]:
    """Seeds as numbers."""
    return [int(seed) for seed in args.seeds.split(",")]


def toy_of(args: argparse.Namespace, seed: int) -> Toy:
    """The toy of a seed."""
    toy = Toy(args.out / f"seed-{seed}", seed)
    toy.settings |= {"rounds": args.rounds, "limit": args.limit}
    if args.epochs:
        fewer = {"num_train_epochs": args.epochs}
        toy.settings = changed(toy.settings, {"reward": fewer, "train": fewer})
    return toy


def play(toy: Toy, name: str, loss: str, temperature: float, **changes: Any) -> Path:
    """The folder of a game, which is played unless it was."""
    whole = f"{name}-{loss}-{temperature:g}"
    game(toy.config(whole, sample={"temperature": temperature}, train=LOSSES[loss], **changes))
    return toy.folder / whole


def gold_of(folder: Path, number: int) -> float:
    """Mean gold score of a round's answers."""
    (texts,) = answers_of(folder, [number])
    return mean(map(gold, texts))


def golden_over(folder: Path, number: int) -> list[Texts]:
    """Fresh golden strings over a round's answers that are worse."""
    chance = random.Random(number)
    (texts,) = answers_of(folder, [number])
    return [(golden_string(chance), text) for text in texts if gold(text) < 0]


def apart_in_gold(folder: Path, number: int, size: int = 4) -> list[Texts]:
    """Pairs of a round's answers of which the gold scorer prefers one, among each few of them."""
    (texts,) = answers_of(folder, [number])
    groups = [texts[at : at + size] for at in range(0, len(texts), size)]
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    return [(max(p, key=gold), min(p, key=gold)) for p in pairs if gold(p[0]) != gold(p[1])]


def rewards_of(model: Path, pairs: Sequence[Texts]) -> PairScores:
    """What a reward model says of some pairs."""
    rows = [
        {"prompt": f"t{n}", "chosen": better, "rejected": worse} for n, (better, worse) in enumerate(pairs)
    ]
    asked = model / "asked.jsonl"
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = RewardConfig(model=str(model), data=str(asked), output_dir="-")
    kept = encode_reward_pairs([str(asked)], config, load_tokenizer(str(model)), golden=False).kept
    torch.set_num_threads(1)
    return score_pairs(load_for_scoring(str(model), "float32", "cpu").model, kept, budget=4096)


def over_seeds(values: Iterable[float]) -> str:
    """Mean over seeds, and the least and the most."""
    some = list(values)
    return f"{mean(some):.2f} ({min(some):.2f} to {max(some):.2f})"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
