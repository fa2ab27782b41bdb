"""A loop on a tiny model that writes letters, judged by tiny reward models with a taste for one of them."""

import gc
import random
from functools import cached_property
from pathlib import Path
from typing import Any

from game_toy import strings
from in_sections import changed
from tiny_model import save_tiny_model, write_jsonl

from train.on_policy.config import LoopConfig
from train.preference.config import TrainConfig
from train.reward_model.config import RewardConfig
from train.training import train

gc.freeze()  # closing an engine collects garbage, of which the test run itself has much


class LoopToy:
    """The model at the start, prompts, and reward models: one that likes `a`, one that likes `b`."""

    def __init__(self, folder: Path, hidden_size: int = 32) -> None:
        self.folder = folder
        chance = random.Random(0)
        common: dict[str, Any] = {
            "model": save_tiny_model(folder / "blank", hidden_size=hidden_size, intermediate_size=48),
            "micro_batch_tokens": 1024,
            "bf16": False,
            "use_cpu": True,
            "save_steps": 0,
        }
        start = [
            {"prompt": f"q{n}", "completion": text, "score": 1.0, "row_id": f"{n}"}
            for n, text in enumerate(strings(chance, 192, 0.4))
        ]
        train(
            TrainConfig(
                data=(write_jsonl(folder / "start.jsonl", start),),
                output_dir=str(folder / "model"),
                loss="rejection_sampling",
                learning_rate=1e-2,
                num_train_epochs=4,
                eval_share=0.0,
                **common,
            )
        )
        self._common = common
        self.taste = self._reward("taste", "a")
        used = {"prompt_tokens": 9, "completion_tokens": 7}
        replies = [{"text": text, **used} for text in ("aabbaab", "abababa")]
        self.reviser = write_jsonl(folder / "reviser.jsonl", replies)
        self.settings: dict[str, Any] = {
            "model": str(folder / "model"),
            "prompts": write_jsonl(folder / "p.jsonl", [{"prompt": f"p{n}"} for n in range(36)]),
            "rounds": 2,
            "eval_prompt_share": 0.3,
            "eval_temperature": 1.0,
            "sample": {"n": 3, "max_tokens": 12, "batch_size": 64},
            "judge": {"judge": f"reward:{self.taste}", "min_margin": 0.0, "batch_size": 64},
            "train": {
                "loss": "dpo",
                "learning_rate": 3e-3,
                "num_train_epochs": 2,
                "pairs_per_update": 8,
                "max_length": 64,
                "micro_batch_tokens": 1024,
                "bf16": False,
                "use_cpu": True,
                "save_steps": 0,
            },
        }

    def config(self, name: str = "out", **changes: Any) -> LoopConfig:
        """The settings of a loop in the folder `name`."""
        return LoopConfig(**changed(self.settings, {"output_dir": str(self.folder / name)} | changes))

    @cached_property
    def contrary(self) -> str:
        """A reward model that likes `b`."""
        return self._reward("contrary", "b")

    def _reward(self, name: str, liked: str) -> str:
        """A reward model that prefers strings with more of a letter."""
        chance = random.Random(1)
        pairs = []
        while len(pairs) < 128:
            worse, better = sorted(strings(chance, 2, 0.5), key=lambda text: text.count(liked))
            if worse.count(liked) < better.count(liked):
                pairs.append({"prompt": f"h{len(pairs)}", "chosen": better, "rejected": worse})
        out = str(self.folder / name)
        train(
            RewardConfig(
                data=(write_jsonl(self.folder / f"{name}.jsonl", pairs),),
                output_dir=out,
                learning_rate=5e-3,
                num_train_epochs=6,
                pairs_per_update=16,
                **self._common,
            )
        )
        return out
