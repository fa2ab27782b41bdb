"""Ideas that could make an update faster, each in turns with what was done before it.

    python benchmarks/training_ideas.py IDEA --pairs FILE [--limit 3] [--dtype fp32] [--rounds 7]

What is printed is the median ratio of processor seconds over the rounds; one more warms up. What came of
each idea is in benchmarks/README.md.

    products      float32 products by MKL, by oneDNN, and by oneDNN in all but short attention
    mixed         the same, then attention in float32 and the head's gradient in bfloat16 (--dtype bf16)
    last_layer    queries, outputs and feed-forward of the last layer only where an answer is predicted
    first_update  what a forward pass costs that gives the reference and the first update's loss in one
    packing       processes that share an update by the cost of attention, not by tokens alone
    int8          a reference whose layers multiply integers
    flex          FlexAttention on the CPU, compiled, against SDPA tree by tree; its backward pass
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from update_sides import Ours, read_pairs, settings_of

import train.forward.attention as attention
import train.forward.logprobs as logprobs
from pairwright.models import products as libraries
from pairwright.models.products import fast_products
from train.forward.answers import Layout
from train.forward.logprobs import answer_logprobs, answers_of
from train.forward.trees import plant, tree_of, trees_of

SWITCH: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
LONG = libraries._LONG


def in_turns(ways: Mapping[str, Callable[[], Any]], rounds: int) -> None:
    """Run every way once a round; print each one's seconds, and the ratio of the first's to its own."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = time.process_time()
            way()
            if number:
                times[name].append(time.process_time() - started)
    first = next(iter(times.values()))
    for name, spent in times.items():
        ratios = sorted(a / b for a, b in zip(first, spent, strict=True))
        print(
            f"  {name:44} {statistics.median(spent):9.4f} s, ratio {statistics.median(ratios):.3f} "
            f"({ratios[0]:.3f} to {ratios[-1]:.3f})",
            flush=True,
        )


def apart(found: Tensor, expected: Tensor) -> str:
    """By how much two tensors differ, as words."""
    gap = (found - expected).abs()
    return f"{float(gap.max()):.1e} at most, {float(gap.mean()):.1e} on average"


def products(args: argparse.Namespace) -> None:
    """Time whole updates with given reference log-probabilities."""
    side = Ours(args)
    indices = list(range(len(side._pairs)))

    def update(library: str, attention_from: int) -> Callable[[], Any]:
        def way() -> Any:
            SWITCH.fp32_precision, libraries._LONG = library, attention_from
            return side.update(indices, with_reference=False)

        return way

    ways = {
        "MKL": update("ieee", LONG),
        "oneDNN, attention too": update("bf16", 0),
        "oneDNN, short attention by MKL": update("bf16", LONG),
    }
    in_turns(ways, args.rounds)


def mixed(args: argparse.Namespace) -> None:
    """Time whole updates; in bfloat16 the residual stream, the head and the softmax are float32."""
    side = Ours(args)
    indices = list(range(len(side._pairs)))
    attended_in, get_dtype = attention.attended_in, torch.get_autocast_dtype

    def update(library: str, wide_attention: bool, coarse_head: bool) -> Callable[[], Any]:
        def way() -> Any:
            SWITCH.fp32_precision = library
            attention.attended_in = attended_in if wide_attention else lambda query: query.dtype
            torch.get_autocast_dtype = get_dtype if coarse_head else lambda device: torch.float32
            return side.update(indices, with_reference=False)

        return way

    ways = {
        "MKL": update("ieee", False, False),
        "oneDNN": update("bf16", False, False),
        "and attention in float32": update("bf16", True, False),
        "and the head's gradient in bfloat16": update("bf16", True, True),
    }
    in_turns(ways, args.rounds)


def last_layer(args: argparse.Namespace) -> None:
    """Compare updates with the last layer's products at all tokens and at those that predict."""
    side = Ours(args)
    indices = list(range(len(side._pairs)))
    plain = logprobs.token_logprobs
    last = side._trainee.policy.get_decoder().layers[-1]
    parts = [last.self_attn.q_proj, last.self_attn.o_proj, *last.mlp.children()]
    cut = [part for part in parts if isinstance(part, nn.Linear)]

    def only_where_predicted(model: nn.Module, laid: Layout) -> Tensor:
        rows = laid.columns_N.unique()

        def narrow(part: nn.Linear) -> Callable[[Tensor], Tensor]:
            def forward(x: Tensor) -> Tensor:
                found = F.linear(x[0, rows], part.weight, part.bias)
                return found.new_zeros(x.shape[1], found.shape[1]).index_copy(0, rows, found)[None]

            return forward

        for part in cut:
            part.forward = narrow(part)
        try:
            return plain(model, laid)
        finally:
            for part in cut:
                del part.forward

    def update(how: Any) -> Callable[[], Any]:
        def way() -> Any:
            logprobs.token_logprobs = how
            return side.update(indices, with_reference=False)

        return way

    asked, values = answers_of(side._pairs), []
    for how in (plain, only_where_predicted):
        logprobs.token_logprobs = how
        with torch.no_grad():
            values.append(answer_logprobs(side._trainee.policy, asked).sums_A)
    print(f"log-probabilities differ by {apart(*values)}")
    in_turns({"all tokens": update(plain), "where predicted": update(only_where_predicted)}, args.rounds)


def first_update(args: argparse.Namespace) -> None:
    """Time the reference of an update's pairs beside the update."""
    side = Ours(args)
    indices, asked = list(range(len(side._pairs))), answers_of(side._pairs)

    def reference() -> None:
        with torch.no_grad():
            answer_logprobs(side._trainee.policy, asked)

    ways = {"update": lambda: side.update(indices, with_reference=False), "reference": reference}
    in_turns(ways, args.rounds)
    print("of N updates the reference of one is saved: 1 / (ratio N + N) of the time")


def packing(args: argparse.Namespace) -> None:
    """Compute how uneven shares of updates are, by tokens and by cost; nothing is run."""
    from transformers import AutoConfig

    from pairwright.models.names import resolve_model

    config = AutoConfig.from_pretrained(resolve_model(args.model)).get_text_config()
    width, layers = config.hidden_size, config.num_hidden_layers
    layer = 2 * width * width * (1 + config.num_key_value_heads / config.num_attention_heads)
    layer += 3 * width * config.intermediate_size
    trees = [tree_of(p.prompt_tokens, [p.chosen_ids, p.rejected_ids]) for p in read_pairs(args)]

    def cost(tree: Any) -> float:
        attended = tree.trunk**2 / 2 + sum(len(b) * (tree.trunk + len(b) / 2) for b in tree.branches)
        answers = tree.tokens - len(tree.prompt_tokens)
        # Attention does a third of the FLOP/s of products, here.
        return (
            layers * (tree.tokens * layer + 3 * 2 * width * attended) + answers * width * config.vocab_size
        )

    for world in (2, 4, 8):
        slowest: dict[str, list[float]] = {"tokens": [], "cost": []}
        for at in range(0, max(len(trees) - 63, 1), 64):
            some = trees[at : at + 64]
            for name, size in (("tokens", lambda tree: tree.tokens), ("cost", cost)):
                loads, costs = [0.0] * world, [0.0] * world
                for tree in sorted(some, key=size, reverse=True):
                    place = loads.index(min(loads))
                    loads[place] += size(tree)
                    costs[place] += cost(tree)
                slowest[name].append(max(costs) * world / sum(costs))
        means = {name: statistics.mean(found) for name, found in slowest.items()}
        print(
            f"{world} processes, updates of 64 pairs: the slowest takes {means['tokens']:.4f} of the mean "
            f"shared by tokens, {means['cost']:.4f} by cost"
        )


def int8(args: argparse.Namespace) -> None:
    """Compare a reference that is quantized dynamically with one in float32 and one in bfloat16."""
    from torch.ao.quantization import quantize_dynamic

    from train.models.language import load_base, switch_randomness_off

    models = {name: load_base(args.model) for name in ("float32", "bfloat16", "int8")}
    layers = {nn.Linear: torch.ao.quantization.default_dynamic_qconfig}
    decoder = models["int8"].get_decoder()
    quantize_dynamic(decoder, layers, dtype=torch.qint8, inplace=True)
    asked = answers_of(read_pairs(args))
    found: dict[str, Tensor] = {}

    def reference(name: str) -> Callable[[], None]:
        switch_randomness_off(models[name])

        def way() -> None:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=name == "bfloat16"):
                found[name] = answer_logprobs(models[name], asked).sums_A

        return way

    with fast_products():
        in_turns({name: reference(name) for name in models}, args.rounds)
    for name in ("bfloat16", "int8"):
        print(f"log-probabilities of answers in {name} differ by {apart(found[name], found['float32'])}")


def flex(args: argparse.Namespace) -> None:
    """Compare one layer's attention over a forest; FlexAttention is compiled."""
    pairs = read_pairs(args)
    layout = plant(trees_of(answers_of(pairs))[0]).layout
    query, key, value = (torch.randn(1, heads, layout.tokens, 64) for heads in (9, 3, 3))
    compiled = torch.compile(attention.flex_attention, dynamic=True)
    mask = attention.block_mask(layout, query.device)

    def by_blocks() -> Tensor:
        found: Tensor = compiled(query, key, value, block_mask=mask, enable_gqa=True)
        return found

    def by_tree() -> Tensor:
        return attention.by_tree(query, key, value, layout, None)

    with fast_products(), torch.no_grad():
        print(f"{layout.tokens} tokens; outputs differ by {apart(by_blocks(), by_tree())}")
        in_turns({"SDPA, tree by tree": by_tree, "FlexAttention": by_blocks}, args.rounds)
    try:
        query.requires_grad_()
        by_blocks().sum().backward()
        print("FlexAttention has a backward pass")
    except Exception as error:
        print(f"no backward pass: {str(error).splitlines()[0]}")


IDEAS = {way.__name__: way for way in (products, mixed, last_layer, first_update, packing, int8, flex)}


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("idea", choices=list(IDEAS))
    settings_of(parser, limit=3, about="pairs of an update", passes=1024, threads=1)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    IDEAS[args.idea](args)


if __name__ == "__main__":
    main()
