"""Measures of pairs by `pairwright select` against a plain loop of `transformers` over padded batches.

    python benchmarks/select_pairs.py --pairs FILE [--model smollm2] [--limit 24] [--rounds 2] [--batch 4]

Both give log-probabilities and CHES of the same pairs, in float32, on the CPU. They run in turns; what
is printed is the ratio of their times, by how much their numbers differ, and the quantiles of CHES.
"""

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F


def plain(model: Any, pairs: list[Any], batch: int) -> np.ndarray:
    """Log-probabilities of chosen and rejected and both kinds of CHES, (P, 4), without anything of ours."""
    sides: list[list[tuple[float, torch.Tensor, int]]] = [[], []]
    for which, name in enumerate(("chosen_ids", "rejected_ids")):
        for at in range(0, len(pairs), batch):
            some = [(p.prompt_tokens.tolist(), getattr(p, name).tolist()) for p in pairs[at : at + batch]]
            longest = max(len(prompt) + len(answer) for prompt, answer in some)
            ids = torch.zeros(len(some), longest, dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, (prompt, answer) in enumerate(some):
                ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
                mask[row, : len(prompt) + len(answer)] = 1
            with torch.no_grad():
                out = model(ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
            for row, (prompt, answer) in enumerate(some):
                where = slice(len(prompt) - 1, len(prompt) + len(answer) - 1)
                loss = F.cross_entropy(
                    out.logits[row, where].float(), torch.tensor(answer), reduction="sum"
                )
                state = out.hidden_states[-1][row, where].double().sum(0)
                sides[which].append((-loss.item(), state, len(answer)))
    rows = []
    for (logp_w, best, n_w), (logp_l, worst, n_l) in zip(*sides, strict=True):
        sums = best @ worst - best @ best
        means = (best / n_w) @ (worst / n_l) - (best / n_w) @ (best / n_w)
        rows.append((logp_w, logp_l, sums.item(), means.item()))
    return np.array(rows)


def main() -> None:
    from pairwright.inputs.pairs import read_pairs
    from pairwright.models.loading import load_tokenizer
    from train.data.pairs import encode_pairs
    from train.models.language import load_base, switch_randomness_off
    from train.selection.measuring import _measured

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--limit", type=int, default=24)
    parser.add_argument("--max_length", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4, help="pairs in a padded batch")
    args = parser.parse_args()
    pairs, _ = encode_pairs(
        read_pairs((args.pairs,), args.limit), load_tokenizer(args.model), args.max_length
    )
    ours, theirs = load_base(args.model), load_base(args.model)
    switch_randomness_off(ours)
    theirs.eval()
    _measured(ours, pairs[:2], 2048)  # how it can be run is found out once
    ratios = []
    for _ in range(args.rounds):
        started = time.perf_counter()
        found = np.array([m[:4] for m in _measured(ours, pairs, 2048)])
        half = time.perf_counter()
        expected = plain(theirs, pairs, args.batch)
        ratios.append((time.perf_counter() - half) / (half - started))
        print(f"{len(pairs)} pairs: {half - started:.1f} s, ratio {ratios[-1]:.2f}", flush=True)
    apart = np.abs(found - expected) / np.maximum(np.abs(expected), 1)
    names = ("logp_chosen", "logp_rejected", "ches", "ches_normalized")
    print(f"median ratio {statistics.median(ratios):.2f}; largest relative difference:")
    print("  " + ", ".join(f"{name} {value:.1e}" for name, value in zip(names, apart.max(0), strict=True)))
    quantiles = np.quantile(found[:, 3], (0.1, 0.5, 0.9))
    print("ches_normalized, p10, median, p90: " + ", ".join(f"{value:.4g}" for value in quantiles))


if __name__ == "__main__":
    main()
