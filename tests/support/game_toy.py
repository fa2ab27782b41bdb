"""A game with a known answer: strings of two letters, and a gold scorer that wants three of one.

Human pairs only show strings with at most three `a`, of which more are better. A reward model that
knows no others goes on like that, and leads a language model to strings of nothing but `a`. Golden
answers have three.
"""

import gc
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from in_sections import changed
from tiny_model import save_tiny_model, write_jsonl

from pairwright.folders.shards import read_tables
from train.adversarial.config import GameConfig
from train.preference.config import TrainConfig
from train.training import train

gc.freeze()  # closing an engine collects garbage, of which the test run itself has much

WANTED = 3
LENGTH = 7
PROMPTS = 32


def gold(text: str) -> float:
    """How good an answer really is: 0 at best."""
    return -abs(text.count("a") - WANTED) - abs(len(text) - LENGTH)


def strings(chance: random.Random, count: int, share: float) -> list[str]:
    """Strings of seven letters, each an `a` with some probability."""
    return ["".join("a" if chance.random() < share else "b" for _ in range(7)) for _ in range(count)]


def human_pairs(chance: random.Random, count: int) -> list[dict[str, str]]:
    """Pairs of such strings with at most three `a`, the better one chosen."""
    human: list[dict[str, str]] = []
    while len(human) < count:
        pair = sorted(strings(chance, 2, 0.25), key=gold)
        if gold(pair[0]) < gold(pair[1]) and max(p.count("a") for p in pair) <= WANTED:
            human.append({"prompt": f"h{len(human)}", "chosen": pair[1], "rejected": pair[0]})
    return human


def golden_string(chance: random.Random) -> str:
    """Seven letters, three of them an `a`."""
    letters = list("aaabbbb")
    chance.shuffle(letters)
    return "".join(letters)


class Toy:
    """A tiny model that writes such strings, few of their letters an `a`, and all that a game needs."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        chance = random.Random(seed)
        blank = save_tiny_model(folder / "blank", hidden_size=32, intermediate_size=48)
        start = [
            {"prompt": f"q{n}", "completion": text, "score": 1.0, "row_id": f"{n}"}
            for n, text in enumerate(strings(chance, 256, 0.22))
        ]
        train(
            TrainConfig(
                model=blank,
                data=(write_jsonl(folder / "start.jsonl", start),),
                output_dir=str(folder / "model"),
                loss="rejection_sampling",
                learning_rate=1e-2,
                num_train_epochs=4,
                eval_share=0.0,
                micro_batch_tokens=1024,
                bf16=False,
                use_cpu=True,
                save_steps=0,
            )
        )
        human = human_pairs(chance, 96)
        common = {
            "micro_batch_tokens": 1024,
            "bf16": False,
            "use_cpu": True,
            "save_steps": 0,
            "seed": seed,
        }
        golden = [{"prompt": f"g{n}", "golden": golden_string(chance)} for n in range(PROMPTS)]
        self.settings: dict[str, Any] = {
            "model": str(folder / "model"),
            "rm_prompts": write_jsonl(folder / "golden.jsonl", golden),
            "llm_prompts": write_jsonl(folder / "llm.jsonl", [{"prompt": f"l{n}"} for n in range(PROMPTS)]),
            "human": write_jsonl(folder / "human.jsonl", human),
            "rounds": 4,
            "eval_n": 4,
            "sample": {"n": 6, "max_tokens": 12, "temperature": 1.0, "batch_size": 128},
            "score": {"batch_size": 128},
            "reward": {
                "learning_rate": 3e-3,
                "pairs_per_update": 16,
                "num_train_epochs": 8,
                "apo_coeff": 6.0,
                **common,
            },
            "train": {"learning_rate": "4e-3", "num_train_epochs": 3, "pairs_per_update": 8, **common},
        }

    def config(self, name: str = "game", **changes: Any) -> GameConfig:
        """The settings of a game in the folder `name`."""
        return GameConfig(**changed(self.settings, {"output_dir": str(self.folder / name)} | changes))


def answers_of(folder: Path, rounds: Sequence[int]) -> list[list[str]]:
    """What the language model says to the prompts of the evaluation, round by round."""
    return [
        [
            row["completion"][0]["content"]
            for table in read_tables(folder / f"round-{number}" / "samples")
            for row in table.to_pylist()
        ]
        for number in rounds
    ]
