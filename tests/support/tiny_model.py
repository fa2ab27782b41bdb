"""A tiny random model with a tiny tokenizer, and pairs for it: a training run in a fraction of a second."""

import json
import shutil
import string
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from tokenizers import decoders as token_decoders
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast
from transformers.utils import logging

from train.preference.config import TrainConfig
from train.reward_model.config import RewardConfig

torch.set_num_threads(1)  # threads that wait for each other cost more than these models do

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONTROLS = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
SHAPE = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
}


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One token a printable character; padding and end of sequence are one token, as in SmolLM."""
    vocabulary = {token: number for number, token in enumerate([*CONTROLS, *string.printable])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token=" "))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.decoder = token_decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|end|>",
        pad_token="<|end|>",
        additional_special_tokens=CONTROLS[1:],
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def save_tiny_model(folder: Path, config: Any = None, **changes: Any) -> str:
    """Save a random model, a Llama unless a configuration is given; returns its folder."""
    tokenizer = tiny_tokenizer()
    if config is None:
        config = LlamaConfig(
            bos_token_id=None,
            eos_token_id=0,
            pad_token_id=0,
            **{"vocab_size": len(tokenizer)} | SHAPE | changes,
        )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).float()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def padded(folder: str | Path) -> str:
    """A copy of a saved model that takes no trees: its attention is eager."""
    copy = Path(f"{folder}-padded")
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"attn_implementation": "eager"}))
    return str(copy)


def numbered_pairs(count: int) -> list[dict[str, Any]]:
    """Pairs of different lengths: the chosen answer repeats the question's word, or not."""
    words = ["sky", "tree", "river", "stone", "cloud"]
    return [
        {
            "row_id": f"row{number}",
            "prompt": [{"role": "user", "content": f"say {words[number % 5]} {number}"}],
            "chosen": [{"role": "assistant", "content": words[number % 5] * (1 + number % 2)}],
            "rejected": [{"role": "assistant", "content": f"no {number}" + "!" * (number % 4)}],
        }
        for number in range(count)
    ]


class TinyRun:
    """Settings of a tiny training run whose model and data lie in a folder."""

    def __init__(self, folder: Path, pairs: int = 10) -> None:
        self.folder = folder
        logging.disable_progress_bar()
        self.settings: dict[str, Any] = {
            "model": save_tiny_model(folder / "model"),
            "data": write_jsonl(folder / "pairs.jsonl", numbered_pairs(pairs)),
            "learning_rate": 3e-3,
            "pairs_per_update": 4,
            "micro_batch_tokens": 250,
            "eval_share": 0.2,
            "use_cpu": True,
            "bf16": False,
        }

    def config(self, name: str = "out", **changes: Any) -> TrainConfig:
        """The settings of a run into the output folder `name`."""
        own = {"reference_store": "none", "output_dir": str(self.folder / name)}
        return TrainConfig(**own | self.settings | changes)

    def reward(self, name: str = "reward", **changes: Any) -> RewardConfig:
        """The settings of a reward model in the output folder `name`."""
        return RewardConfig(**self.settings | {"output_dir": str(self.folder / name)} | changes)


def read_metrics(folder: str | Path) -> list[dict[str, float]]:
    """The records of a run's metrics."""
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    """Write rows as JSONL; returns the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)
