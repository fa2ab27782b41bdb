"""What a pair costs as its prompt, its answers, their number and the vocabulary grow: trees and padding.

    python benchmarks/scaling.py [--out docs/scaling.png] [--rounds 3]

A Llama of random weights (4 layers, 256 wide) computes log-probabilities and their gradient, as trees
and as padded sequences of the same answers, in turns. One thing grows at a time; the others stay at
256 prompt tokens, 64 answer tokens, 2 answers and a vocabulary of 8,192. Seconds are medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from train.forward.answers import Answer, collate, moved
from train.forward.layout import lay_out
from train.forward.logprobs import token_logprobs

PROMPTS = 4
"""Prompts of one forward pass."""


class Size(NamedTuple):
    """What one point measures."""

    prompt_tokens: int = 256
    answer_tokens: int = 64
    answers: int = 2
    vocabulary: int = 8192


GROWING = {
    "prompt_tokens": (64, 256, 1024),
    "answer_tokens": (16, 64, 256),
    "answers": (2, 4, 8),
    "vocabulary": (8192, 32768, 131072),
}


class Point(NamedTuple):
    """Seconds that a pair of answers to one prompt costs, forward and backward."""

    tree: float
    padded: float


def main() -> None:
    """Measure, print a table and the ratio at the longest prompt, and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="where to plot, as PNG or SVG")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shrink", type=int, default=1, help="divide all sizes by this")
    args = parser.parse_args()
    found: dict[str, dict[int, Point]] = {}
    for name, values in GROWING.items():
        found[name] = {}
        for value in values:
            size = Size(*(max(2, part // args.shrink) for part in Size()._replace(**{name: value})))
            found[name][value] = point = measure(size, args.rounds)
            print(
                f"{name:14} {value:7}  tree {1e3 * point.tree:8.1f} ms a pair, padded "
                f"{1e3 * point.padded:8.1f}, ratio {point.padded / point.tree:.2f}",
                flush=True,
            )
    if args.out:
        plot(found, args.out)
    longest = found["prompt_tokens"][GROWING["prompt_tokens"][-1]]
    print(f"ratio: {longest.padded / longest.tree:.2f}")


def measure(size: Size, rounds: int) -> Point:
    """Trees and padded sequences in turns; the first turn of either is not counted."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=size.vocabulary,
            hidden_size=256,
            intermediate_size=1024,
            num_hidden_layers=4,
            num_attention_heads=8,
            num_key_value_heads=4,
        )
    ).to("cuda" if torch.cuda.is_available() else "cpu")
    answers = some_answers(size)
    tree = lay_out(model, answers).laid
    padded = moved(collate(answers), next(model.parameters()).device)
    times: dict[str, list[float]] = {"tree": [], "padded": []}
    for number in range(rounds + 1):
        for name, laid in (("tree", tree), ("padded", padded)):
            seconds = timed(model, lambda laid=laid: token_logprobs(model, laid).sum().backward())
            if number:
                times[name].append(seconds)
    pairs = PROMPTS * size.answers / 2
    return Point(*(statistics.median(times[name]) / pairs for name in ("tree", "padded")))


def some_answers(size: Size) -> list[Answer]:
    """Random prompts and answers that share nothing; lengths vary by a quarter, as real ones do."""
    random = np.random.default_rng(0)

    def ids(count: int) -> np.ndarray:
        length = int(random.integers(max(1, count * 3 // 4), count + 1))
        return random.integers(0, size.vocabulary, length, dtype=np.int32)

    prompts = [ids(size.prompt_tokens) for _ in range(PROMPTS)]
    return [Answer(prompt, ids(size.answer_tokens)) for prompt in prompts for _ in range(size.answers)]


def timed(model: nn.Module, work: Callable[[], None]) -> float:
    """Seconds of some work, with gradients cleared before it."""
    model.zero_grad()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def plot(found: dict[str, dict[int, Point]], path: Path) -> None:
    """A panel for each thing that grows."""
    figure = Figure(figsize=(10, 3), layout="constrained")
    panels: Sequence = figure.subplots(1, len(found), sharey=True)
    for panel, (name, points) in zip(panels, found.items(), strict=True):
        for kind in Point._fields:
            panel.plot(
                list(points), [1e3 * getattr(p, kind) for p in points.values()], marker="o", label=kind
            )
        panel.set(xlabel=name.replace("_", " "), xscale="log", yscale="log")
        panel.set_xticks(list(points), [f"{value:,}" for value in points])
        panel.minorticks_off()
    panels[0].set_yticks((50, 100, 200, 500), ("50", "100", "200", "500"))
    panels[0].set_ylabel("ms a pair")
    panels[0].legend()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
