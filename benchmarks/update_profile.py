"""Where the time of an update goes: products, attention, the vocabulary, the optimizer and the rest.

    python benchmarks/update_profile.py --pairs FILE [--dtype fp32] [--limit 6] [--max_length 512]

One update of preference training with given reference log-probabilities, by `torch.profiler`, after one
to warm up. Every operator's own time counts once, for the first kind that it or a caller of it belongs to.
"""

import argparse
import time
from collections import defaultdict

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile
from update_sides import Ours, settings_of

KINDS = {
    "vocabulary": ("TargetLogprobs",),
    "optimizer": ("Optimizer.step", "clip_grad", "aten::_foreach", "Optimizer.zero_grad"),
    "attention, forward": ("aten::scaled_dot_product_attention",),
    "attention, backward": ("ScaledDotProduct",),
    "products, forward": ("aten::linear", "aten::matmul"),
    "products, backward": ("AddmmBackward", "MmBackward", "BmmBackward", "MkldnnBackward"),
    "number formats": ("aten::to", "ToCopyBackward"),
    "adding up gradients": ("torch::autograd::AccumulateGrad", "aten::add_"),
}
"""The beginnings of names by which an operator is told."""
REST = "norms, activations, rotary positions and the rest"


def kind_of(event: FunctionEvent) -> str:
    """Return the kind of an operator: of the outermost caller that has one."""
    found, at = REST, event
    while at is not None:
        name = at.name.removeprefix("autograd::engine::evaluate_function: ")
        found = next((kind for kind, names in KINDS.items() if name.startswith(names)), found)
        at = at.cpu_parent
    return found


def main() -> None:
    """Run it and print a table of seconds and shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    settings_of(parser, limit=6, about="pairs of the update", passes=1024, threads=1)
    parser.add_argument("--operators", type=int, default=0, help="print so many operators too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    side = Ours(args)
    indices = list(range(len(side._pairs)))
    side.update(indices[:2], with_reference=False)
    worked = time.process_time()
    with profile(activities=[ProfilerActivity.CPU]) as taken:
        side.update(indices, with_reference=False)
    worked = time.process_time() - worked
    seconds: dict[str, float] = defaultdict(float)
    for event in taken.events():
        seconds[kind_of(event)] += event.self_cpu_time_total / 1e6
    whole = sum(seconds.values())
    print(f"{len(indices)} pairs, {sum(p.tokens for p in side._pairs)} tokens of both sequences")
    for kind, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"  {kind:50} {spent:7.2f} s {spent / whole:6.1%}")
    print(f"  {'all operators':50} {whole:7.2f} s; {worked:.2f} s of processor")
    if args.operators:
        print(taken.key_averages().table(sort_by="self_cpu_time_total", row_limit=args.operators))


if __name__ == "__main__":
    main()
