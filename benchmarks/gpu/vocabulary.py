"""Log-probabilities of answers and their gradient over large vocabularies: in chunks, and plainly.

    python benchmarks/gpu/vocabulary.py --out DIR [--device cuda] [--tiny]

Time and peak memory of one forward and backward pass of a model of two layers, whose head is all that
counts, at vocabularies of 128k, 192k and 256k; and by how much values and gradients differ.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from made import peak_gib, tell
from transformers import AutoModelForCausalLM, LlamaConfig

from train.forward.answers import Answer, collate, moved
from train.forward.logprobs import answer_logits, token_logprobs


def plain(model: Any, laid: Any) -> torch.Tensor:
    """All logits of answer tokens at once."""
    return -F.cross_entropy(answer_logits(model, laid).float(), laid.targets_N, reduction="none")


def measured(
    model: Any, laid: Any, how: Any, device: str
) -> tuple[torch.Tensor, torch.Tensor, float, float]:
    """Values, the head's gradient, seconds and peak GiB; the second of two passes."""
    for _ in range(2):
        model.zero_grad()
        peak_gib(device)
        begun = time.perf_counter()
        values = how(model, laid)
        values.sum().backward()
        peak = peak_gib(device)  # waits for the GPU
        seconds = time.perf_counter() - begun
    return values.detach().float(), model.lm_head.weight.grad.detach().float(), seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    width, tokens = (32, 16) if options.tiny else (1024, 1024)
    sizes = (512, 1024) if options.tiny else (131_072, 196_608, 262_144)
    worst = 0.0
    for vocabulary in sizes:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=8,
            num_key_value_heads=8,
            tie_word_embeddings=False,
        )
        dtype = torch.bfloat16 if options.device == "cuda" else torch.float32
        model = AutoModelForCausalLM.from_config(config).to(options.device, dtype)
        chance = np.random.default_rng(0)
        answers = [Answer(*chance.integers(0, vocabulary, (2, tokens), dtype=np.int32)) for _ in range(4)]
        laid = moved(collate(answers), options.device)
        values, slope, seconds, peak = measured(model, laid, token_logprobs, options.device)
        others, slopes, plainly, held = measured(model, laid, plain, options.device)
        differ = float((values - others).abs().max())
        slopes_differ = float((slope - slopes).abs().max() / slopes.abs().max())
        tell(
            options.out,
            "vocabulary",
            vocabulary=vocabulary,
            seconds=seconds,
            peak_gib=peak,
            plain_seconds=plainly,
            plain_peak_gib=held,
            values_differ=differ,
            gradients_differ=slopes_differ,
        )
        worst = max(worst, differ, slopes_differ)
    sys.exit(int(worst > (0.1 if options.device == "cuda" else 1e-3)))


if __name__ == "__main__":
    main()
