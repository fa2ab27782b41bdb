"""KTO as a task: preference training with a reference point that all answers of an update share.

    P  pairs    z  reference point

The point is the KL divergence of the policy from its reference, estimated as Ethayarajh et al. 2024
(section 4.2, https://arxiv.org/abs/2402.01306) do: the mean log-ratio of answers beside prompts that
are not theirs, not below 0, without a gradient. A prompt gets the answers of the next pair of the data
that has another prompt, so which belong together depends on no batch, and what the reference says of
them is computed once and stored.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from pairwright.errors import UsageError
from train.data.pairs import Pair
from train.forward.logprobs import answers_of
from train.preference.pair_logprobs import PairSet, beside_reference
from train.preference.task import PreferenceTask
from train.trainer.passes import values_of
from train.trainer.task import Run

if TYPE_CHECKING:
    from accelerate import Accelerator


class KtoSet(NamedTuple):
    """P pairs with reference log-probabilities, and the same for mismatched pairs."""

    items: Sequence[Pair]
    ref_PK: Tensor
    mismatched: PairSet
    shares: tuple[float, float] = (1.0, 1.0)


class KtoTask(PreferenceTask):
    """Preference training with KTO's reference point."""

    def prepare(  # type: ignore[override]
        self,
        accelerator: "Accelerator",
        policy: nn.Module,
        items: Sequence[Pair],
        used: Sequence[int] | None = None,
    ) -> KtoSet:
        """Compute the reference of every pair, and of every prompt with another pair's answers."""
        own = super().prepare(accelerator, policy, items, used)
        others = super().prepare(accelerator, policy, mismatched(items), used)
        return KtoSet(own.items, own.ref_PK, others)

    @torch.no_grad()
    def look_ahead(self, run: Run, data: KtoSet, indices: Sequence[int]) -> None:  # type: ignore[override]
        """Set the reference point: the policy's on the mismatched answers of some pairs."""
        others = data.mismatched
        sums = torch.zeros(2, device=run.accelerator.device)
        for micro in run.deal(indices, others):
            asked = answers_of([others.items[index] for index in micro.indices])
            found = values_of(lambda some: self.values(run.policy, some), asked, micro)
            logps = beside_reference(found, others, micro.indices)
            ratios = torch.cat([logps.delta_w, logps.delta_l])
            sums += micro.weight * torch.stack([ratios.sum(), ratios.new_tensor(len(ratios))])
        total, count = run.accelerator.reduce(sums, reduction="sum")
        point = (total / count).clamp(min=0)
        options = {**self.objective.options, "reference_point": point}
        self.objective = self.objective._replace(options=options)


def mismatched(pairs: Sequence[Pair]) -> list[Pair]:
    """Return each prompt with the answers of the next pair of another prompt; after the last, the first.

    Answers that would make a sequence longer than any pair's are passed over while there are others. Raises
    `UsageError` where all pairs have one prompt.
    """
    most = max((pair.longest for pair in pairs), default=0)
    found = []
    for place, pair in enumerate(pairs):
        order = (pairs[n] for n in (*range(place + 1, len(pairs)), *range(place)))
        others = (_beside(pair, other) for other in order if other.prompt_key != pair.prompt_key)
        shortest: Pair | None = None
        for other in others:
            shortest = other if shortest is None or other.longest < shortest.longest else shortest
            if other.longest <= most:
                shortest = other
                break
        if shortest is None:
            raise UsageError(
                "kto needs pairs of two prompts at least, to train on and held out: its reference point is "
                "found on answers to other prompts; take apo_zero_unpaired, which has it at 0"
            )
        found.append(shortest)
    return found


def _beside(pair: Pair, other: Pair) -> Pair:
    """The prompt of one pair with the answers of another."""
    return pair._replace(
        chosen_ids=other.chosen_ids, rejected_ids=other.rejected_ids, token_weights=other.token_weights
    )
