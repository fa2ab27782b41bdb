"""Updates of preference training here and in TRL: the same pairs, order, loss, optimizer and precision.

    python benchmarks/train_vs_trl.py --pairs FILE [--model smollm2] [--dtype fp32] [--limit 32]

Both sides live in a process of their own and take turns, an update each, after one to warm up. TRL has
no gradient checkpointing and its own fused head, and takes `--trl_batch` pairs at a time in the order
of the file, as its trainer does; with `--trl_sorted` in the order of their length, which its trainer
does not do but which wastes less on padding. Two ratios are reported: with the reference computed beside
every update (TRL's default; ours then computes its reference in the update too), and with reference
log-probabilities given on both sides.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import torch
from update_sides import Ours, Theirs, read_pairs, settings_of


def serve(kind: type, args: argparse.Namespace, wire: Connection) -> None:
    """A side in a process of its own: answers calls until there are no more."""
    torch.set_num_threads(args.threads)
    side = kind(args)
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wire.send(loaded)
    while (call := wire.recv()) is not None:
        name, arguments, settings = call
        started, worked = time.perf_counter(), time.process_time()
        result = getattr(side, name)(*arguments, **settings)
        seconds = (time.perf_counter() - started, time.process_time() - worked)
        wire.send((result, *seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


class Remote:
    """The near end of a side."""

    def __init__(self, kind: type, args: argparse.Namespace) -> None:
        context = multiprocessing.get_context("spawn")
        self._wire, far = context.Pipe()
        self._process = context.Process(target=serve, args=(kind, args, far), daemon=True)
        self._process.start()
        far.close()  # so that the wire ends with the process
        self._wire.recv()

    def call(self, name: str, *arguments: Any, **settings: Any) -> tuple[Any, float, float, int]:
        """The result, the seconds and processor seconds it took, and the process's peak memory in KiB."""
        self._wire.send((name, arguments, settings))
        try:
            return self._wire.recv()
        except EOFError:
            self._process.join()
            sys.exit(f"a side died (exit code {self._process.exitcode}; -9 is often too little memory)")

    def close(self) -> None:
        """Let the process end."""
        self._wire.send(None)
        self._process.join()


def ceiling(dtype: torch.dtype) -> float:
    """Best matrix-multiplication speed seen on shapes of this size, by the library used here, in FLOP/s."""
    from pairwright.models.products import fast_products

    a, b = torch.randn(2048, 1536, dtype=dtype), torch.randn(1536, 1536, dtype=dtype)
    times = []
    with fast_products():
        for _ in range(8):
            started = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - started)
    return 2 * 2048 * 1536 * 1536 / min(times)


def work(pairs: list[Any], model: str, *, with_reference: bool) -> float:
    """FLOP of an update here that matrix products with weights need."""
    from transformers import AutoConfig

    from pairwright.models.names import resolve_model
    from train.forward.trees import tree_of

    config = AutoConfig.from_pretrained(resolve_model(model)).get_text_config()
    width, heads = config.hidden_size, config.num_attention_heads
    kv = width * config.num_key_value_heads // heads
    layer = 2 * width * width + 2 * width * kv + 3 * width * config.intermediate_size
    trees = [tree_of(p.prompt_tokens, [p.chosen_ids, p.rejected_ids]) for p in pairs]
    tokens = sum(tree.tokens for tree in trees)
    answers = sum(len(t.shared_ids) + sum(map(len, t.branches)) for t in trees)
    forward = 2 * (tokens * layer * config.num_hidden_layers + answers * width * config.vocab_size)
    return forward * (4 if with_reference else 3)


def main() -> None:
    """Run it and print a table, the differences and the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    settings_of(parser, limit=32, about="pairs, in updates of 16", passes=2048, threads=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs_per_update", type=int, default=16)
    parser.add_argument("--trl_batch", type=int, default=4, help="pairs of one forward pass in TRL")
    parser.add_argument("--trl_sorted", action="store_true", help="like lengths together in TRL")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON too")
    args = parser.parse_args()

    pairs = read_pairs(args)
    size = min(args.pairs_per_update, len(pairs))
    updates = [list(range(at, at + size)) for at in range(0, len(pairs) - size + 1, size)]
    ours, theirs = Remote(Ours, args), Remote(Theirs, args)
    reference = ours.call("reference")[0]
    theirs.call("give_reference", reference)
    figures: dict[str, Any] = {"pairs": len(pairs), "tokens": sum(p.tokens for p in pairs)}
    tokens = figures["tokens"] * size / len(pairs)  # of both sequences
    for label, settings in (("reference beside", True), ("reference given", False)):
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        work_times: dict[str, list[float]] = {"ours": [], "theirs": []}
        loss_gap = norm_gap = 0.0
        for number, indices in enumerate((updates * (args.rounds + 1))[: args.rounds + 1]):
            mine = ours.call("update", indices, with_reference=settings)
            trls = theirs.call("update", indices, with_reference=settings)
            loss_gap = max(loss_gap, abs(mine[0][0] - trls[0][0]))
            norm_gap = max(norm_gap, abs(mine[0][1] - trls[0][1]))
            if number:  # the first warms up
                for side, (_, seconds, worked, _) in (("ours", mine), ("theirs", trls)):
                    times[side].append(seconds)
                    work_times[side].append(worked)
        ratios = [t / o for t, o in zip(times["theirs"], times["ours"], strict=True)]
        work_ratios = [t / o for t, o in zip(work_times["theirs"], work_times["ours"], strict=True)]
        best = min(times["ours"])
        speed = work([pairs[i] for i in updates[0]], args.model, with_reference=settings) / best
        peak = ceiling(torch.bfloat16 if args.dtype == "bf16" else torch.float32)
        figures[label] = {
            "ratio": statistics.median(ratios),
            "ratio_of_processor_time": statistics.median(work_ratios),
            "ours_pairs_per_s": size / statistics.median(times["ours"]),
            "trl_pairs_per_s": size / statistics.median(times["theirs"]),
            "ours_tokens_per_s": tokens / statistics.median(times["ours"]),
            "trl_tokens_per_s": tokens / statistics.median(times["theirs"]),
            "max_loss_difference": loss_gap,
            "max_grad_norm_difference": norm_gap,
            "share_of_matmul_ceiling": speed / peak,
            "ours_peak_gib": mine[3] / 2**20,
            "trl_peak_gib": trls[3] / 2**20,
        }
    ours.close()
    theirs.close()
    for label, values in figures.items():
        if isinstance(values, dict):
            print(label)
            for name, value in values.items():
                print(f"  {name:26} {value:.4g}")
    if args.json:
        print(json.dumps(figures))
    print(f"ratio: {figures['reference beside']['ratio']:.2f}")


if __name__ == "__main__":
    main()
