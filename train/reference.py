"""Reference log-probabilities of pairs, computed once before training."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import nn

from pairwright.errors import PairwrightError
from train.batches import deal
from train.forward import way_of
from train.logprobs import answer_logprobs, answers_of
from train.model import as_reference
from train.pair_logprobs import PairSet
from train.pairs import Pair


@torch.no_grad()
def with_reference(
    accelerator: Accelerator, policy: nn.Module, pairs: Sequence[Pair], *, budget: int
) -> PairSet:
    """Pairs with what the policy, before any update or with adapters off, thinks of them.

    It runs the policy itself, in its number format and through its wrappers, `budget` tokens at a time:
    where policy and reference are the same, so are the numbers. Processes share the work.
    Raises `PairwrightError`, naming the rows, if a log-probability is not finite.
    """
    ref_P2 = torch.zeros(len(pairs), 2, device=accelerator.device)
    place = {"rank": accelerator.process_index, "world": accelerator.num_processes}
    with as_reference(accelerator.unwrap_model(policy)):
        trees = way_of(policy).trees
        for micro in deal(range(len(pairs)), pairs, budget=budget, trees=trees, **place):
            sums_A = answer_logprobs(policy, answers_of([pairs[i] for i in micro.indices])).sums_A
            if micro.weight:
                ref_P2[micro.indices] = sums_A.view(2, -1).T
    ref_P2 = accelerator.reduce(ref_P2, reduction="sum")
    bad = (~torch.isfinite(ref_P2)).any(1).nonzero().flatten().tolist()
    if bad:
        names = ", ".join(pairs[index].row_id for index in bad[:5])
        raise PairwrightError(
            f"the model gives log-probabilities that are not finite to {len(bad)} pairs ({names}); "
            "its weights or its number format are unsound (try --no-bf16)"
        )
    return PairSet(pairs, ref_P2)
