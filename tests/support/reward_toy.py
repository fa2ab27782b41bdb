"""A tiny reward model in a folder."""

from pathlib import Path

import torch
from tiny_model import SHAPE, tiny_tokenizer
from transformers import AutoModelForSequenceClassification, LlamaConfig


def save_reward_model(folder: Path) -> str:
    """A random reward model, of no particular taste."""
    tokenizer = tiny_tokenizer()
    shape = LlamaConfig(vocab_size=len(tokenizer), eos_token_id=0, pad_token_id=0, num_labels=1, **SHAPE)
    torch.manual_seed(3)
    model = AutoModelForSequenceClassification.from_config(shape).float()
    torch.nn.init.normal_(model.score.weight, std=2.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
