"""Models and pairs of given shapes, made on the spot: random weights take as long as trained ones."""

import json
import random
from pathlib import Path
from typing import Any

import torch

WORDS = ("sky", "tree", "river", "stone", "cloud", "house", "light", "word", "time", "water", "night")
QWEN = {
    "0.5b": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "heads": (14, 2)},
    "1.5b": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "heads": (12, 2)},
    "tiny": {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "heads": (4, 2)},
}
"""Shapes of Qwen2.5, and one for a dry run."""


def config_of(shape: str, vocabulary: int) -> Any:
    """The configuration of a Qwen2 of a shape."""
    from transformers import Qwen2Config

    values = dict(QWEN[shape])
    heads, kv = values.pop("heads")
    return Qwen2Config(
        vocab_size=vocabulary,
        num_attention_heads=heads,
        num_key_value_heads=kv,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=2,
        **values,
    )


def save_model(folder: Path, shape: str, vocabulary: int) -> str:
    """Save a random model with the embedded model's tokenizer; returns its folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from pairwright.models.smollm2 import smollm2_folder

    if not (folder / "config.json").exists():
        torch.manual_seed(0)
        tokenizer = AutoTokenizer.from_pretrained(smollm2_folder())
        model = AutoModelForCausalLM.from_config(config_of(shape, max(vocabulary, len(tokenizer))))
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return str(folder)


def save_pairs(path: Path, pairs: int, prompt: int, answer: int) -> str:
    """Save pairs of about so many tokens; the answers of one differ from their first word on."""
    chance = random.Random(0)

    def text(tokens: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(tokens))

    rows = [
        {"prompt": text(prompt), "chosen": f"yes {text(answer)}", "rejected": f"no {text(answer)}"}
        for _ in range(pairs)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def tell(out: Path, part: str, **found: Any) -> None:
    """Print a finding and keep it as a line of `results.jsonl`."""
    line = json.dumps({"part": part, **found})
    print(line, flush=True)
    with (out / "results.jsonl").open("a") as file:
        file.write(line + "\n")


def peak_gib(device: str) -> float:
    """Most memory held since the last look: of the GPU, or of this process."""
    from train.devices.memory import peak_memory_gib

    if device == "cuda":
        torch.cuda.synchronize()
        found = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.reset_peak_memory_stats()
        return found
    return peak_memory_gib()
