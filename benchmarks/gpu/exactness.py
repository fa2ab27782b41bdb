"""Forests under compiled FlexAttention against the same answers as padded sequences: values and gradients.

    python benchmarks/gpu/exactness.py --out DIR [--device cuda] [--tiny]

Five architectures with random weights, large enough that caps, windows and scales show. Differences are
shares of the largest value. On a CPU, FlexAttention has no backward pass; gradients are then those of
the attention that training uses there, tree by tree.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from made import tell
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma3TextConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)

from train.forward.answers import Answer, collate, moved
from train.forward.attention import BY_BLOCKS, BY_TREE
from train.forward.logprobs import token_logprobs
from train.forward.trees import plant, trees_of

ALIKE = {"float32": 2e-3, "bfloat16": 6e-2}
"""Most difference that rounding explains, as a share: TF32 is off, kernels add up in another order."""


def models(size: int) -> dict[str, Any]:
    shape = {
        "vocab_size": 1024,
        "hidden_size": 4 * size,
        "intermediate_size": 8 * size,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": 0,
    }
    return {
        "llama": LlamaConfig(**shape),
        "qwen2": Qwen2Config(**shape),
        "mistral": MistralConfig(**shape, sliding_window=2048),
        "gemma3": Gemma3TextConfig(**shape, head_dim=size, sliding_window=2048),
        "granite": GraniteConfig(**shape, logits_scaling=3.0),
        "cohere": CohereConfig(**shape, logit_scale=0.1),
    }


def answers(tokens: int) -> list[Answer]:
    """Three prompts with two or three answers each, of which some begin alike."""
    chance = np.random.default_rng(0)

    def some(n: int) -> np.ndarray:
        return chance.integers(1, 1024, n, dtype=np.int32)

    found = []
    for lengths in ((tokens, tokens // 3), (tokens // 2, tokens // 4, tokens // 5), (9, 7)):
        prompt, begun = some(tokens), some(3)
        found += [Answer(prompt, np.concatenate([begun, some(n)])) for n in lengths]
    return found


def run(
    model: Any, laid: Any, order: Any, weights: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Log-probabilities of answers, and the gradient of a weighted sum of them."""
    model.zero_grad()
    sums = laid.sums(token_logprobs(model, laid))
    sums = sums if order is None else sums[torch.tensor(order, device=sums.device)]
    (sums * weights).sum().backward()
    return sums.detach().float(), [p.grad.detach().float().clone() for p in model.parameters()]


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-6))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    asked = answers(24 if options.tiny else 700)
    trees, order = trees_of(asked)
    forest, padded = moved(plant(trees), options.device), moved(collate(asked), options.device)
    weights = torch.linspace(-1, 1, len(asked), device=options.device)
    worst = 0.0
    for name, config in models(16 if options.tiny else 64).items():
        for dtype in ("float32", "bfloat16") if options.device == "cuda" else ("float32",):
            torch.manual_seed(0)
            model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
            model = model.to(options.device, getattr(torch, dtype)).eval()
            expected, gradient = run(model, padded, None, weights)
            model.set_attn_implementation(BY_BLOCKS)
            if options.device == "cuda":
                found, grown = run(model, forest, order, weights)
            else:
                with torch.no_grad():
                    found = forest.sums(token_logprobs(model, forest))[torch.tensor(order)]
                model.set_attn_implementation(BY_TREE)
                grown = run(model, forest, order, weights)[1]
            values = apart(found, expected)
            slopes = max(apart(g, e) for g, e in zip(grown, gradient, strict=True))
            exact = max(values, slopes) <= ALIKE[dtype]
            tell(
                options.out,
                "exactness",
                model=name,
                dtype=dtype,
                values=values,
                gradients=slopes,
                exact=exact,
            )
            worst = max(worst, max(values, slopes) / ALIKE[dtype])
    sys.exit(int(worst > 1))


if __name__ == "__main__":
    main()
