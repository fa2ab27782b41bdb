"""Reference log-probabilities of pairs, computed once before training, or known from an earlier run."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from pairwright.errors import PairwrightError
from train.data.pairs import Pair
from train.devices.processes import on_first, say
from train.forward.answers import Answer, WeightedAnswer
from train.forward.logprobs import answers_of
from train.forward.support import tree_support
from train.models.language import as_reference, model_identity
from train.preference.config import TrainConfig
from train.preference.pair_logprobs import PairSet, logprobs_of
from train.preference.reference_store import ReferenceStore
from train.trainer.batches import deal
from train.trainer.passes import by_answer

CHECKED = 4
"""Pairs whose known values are computed again before they are relied upon."""
_ALIKE = {"no": (1e-3, 1e-5), "bf16": (0.5, 0.02)}
"""Nats, and share of the value, by which one reference may differ from itself: rounding."""


@torch.no_grad()
def with_reference(
    accelerator: Accelerator,
    policy: nn.Module,
    pairs: Sequence[Pair],
    used: Sequence[int] | None = None,
    *,
    budget: int,
    store: ReferenceStore | None = None,
) -> PairSet:
    """Return pairs with reference log-probabilities: the policy's before any update or without adapters.

    It runs the policy itself, in its number format and through its wrappers, `budget` tokens at a time:
    where policy and reference are the same, so are the numbers. Processes share the work. What a
    `store` knows is taken from there, once a few rows of it have been computed again. With `used`, indices
    of pairs, the others have NaN.
    Raises `PairwrightError`, naming the rows, if a log-probability is not finite or the store is wrong.
    """
    if used is None or len(used) == len(pairs):
        return PairSet(pairs, _known_or_computed(accelerator, policy, pairs, budget, store))
    found_UK = _known_or_computed(accelerator, policy, [pairs[index] for index in used], budget, store)
    ref_PK = found_UK.new_full((len(pairs), found_UK.shape[1]), torch.nan)
    ref_PK[list(used)] = found_UK
    return PairSet(pairs, ref_PK)


def _known_or_computed(
    accelerator: Accelerator,
    policy: nn.Module,
    pairs: Sequence[Pair],
    budget: int,
    store: ReferenceStore | None,
) -> Tensor:
    """The reference log-probabilities of all pairs (P, K)."""
    ref_PK, missing = _from_store(accelerator, store, pairs)
    unknown = set(missing)
    checked = [index for index in range(len(pairs)) if index not in unknown][:CHECKED]
    found_PK = _computed(accelerator, policy, [pairs[index] for index in (*missing, *checked)], budget)
    if store is not None and checked:
        rows = [pairs[index].row_id for index in checked]
        _compare(accelerator, store, rows, ref_PK[checked], found_PK[len(missing) :])
    ref_PK[missing] = found_PK[: len(missing)]
    bad = (~torch.isfinite(ref_PK)).any(1).nonzero().flatten().tolist()
    if bad:
        names = ", ".join(pairs[index].row_id for index in bad[:5])
        raise PairwrightError(
            f"the model gives log-probabilities that are not finite to {len(bad)} pairs ({names}); "
            "its weights or its number format are unsound (try --no_bf16)"
        )
    if store is not None and missing and accelerator.is_main_process:
        store.add(_asked([pairs[index] for index in missing]), ref_PK[missing].T.flatten().tolist())
    return ref_PK


def reference_identity(config: TrainConfig) -> dict[str, str]:
    """Return the identity of the reference, where it is a model of its own, not the one that is trained."""
    return {} if config.ref_model is None else {"ref_model": model_identity(config.ref_model)}


def _from_store(
    accelerator: Accelerator, store: ReferenceStore | None, pairs: Sequence[Pair]
) -> tuple[Tensor, list[int]]:
    """What is known of the pairs (P, 2), and the indices of those of which it is not."""
    answers = _asked(pairs)
    values = on_first(accelerator, lambda: store.known(answers)) if store else [None] * len(answers)
    sides = [tuple(values[place :: len(pairs)]) for place in range(len(pairs))]
    missing = [index for index, side in enumerate(sides) if None in side]
    if len(missing) < len(pairs):
        say(
            "reference log-probabilities known from earlier runs: "
            f"{len(pairs) - len(missing)} of {len(pairs)} pairs"
        )
    ref_PK = torch.tensor([[value or 0.0 for value in side] for side in sides])
    ref_PK = ref_PK.reshape(len(pairs), -1 if pairs else 2)
    return ref_PK.to(accelerator.device), missing


def _computed(accelerator: Accelerator, policy: nn.Module, pairs: Sequence[Pair], budget: int) -> Tensor:
    """What the model thinks of both answers of each pair (P, K), in the order of `_asked`."""
    answers = answers_of(pairs)
    forms = 2 if _weighted(answers) else 1
    ref_AF = torch.zeros(len(answers), forms, device=accelerator.device)
    place = {"rank": accelerator.process_index, "world": accelerator.num_processes}
    with as_reference(accelerator.unwrap_model(policy)):
        support = tree_support(policy)
        micros = deal(range(len(pairs)), pairs, budget=budget, support=support, **place)
        for places, weight in by_answer(micros, pairs):
            found = logprobs_of(policy, [answers[place] for place in places])
            if weight:
                ref_AF[places] = found.view(len(places), forms)
    total: Tensor = accelerator.reduce(ref_AF, reduction="sum")
    return total.view(2, len(pairs), forms).permute(1, 2, 0).reshape(len(pairs), 2 * forms)


def _asked(pairs: Sequence[Pair]) -> list[Answer]:
    """Chosen, then rejected answers of all pairs; with weights of tokens, then both without them."""
    answers = answers_of(pairs)
    return [*answers, *(Answer(*answer) for answer in answers)] if _weighted(answers) else answers


def _weighted(answers: Sequence[Answer]) -> bool:
    return any(isinstance(answer, WeightedAnswer) for answer in answers)


def _compare(
    accelerator: Accelerator, store: ReferenceStore, rows: Sequence[str], known_CK: Tensor, found_CK: Tensor
) -> None:
    """Raise `PairwrightError` if what is known of some rows differs by more than rounding."""
    nats, share = _ALIKE[accelerator.mixed_precision]
    wrong = ((found_CK - known_CK).abs() > nats + share * found_CK.abs()).any(1).tolist()
    named = [row for row, is_wrong in zip(rows, wrong, strict=True) if is_wrong]
    if named:
        raise PairwrightError(
            f"{store.folder} holds the reference of another model: row {named[0]} has other "
            "log-probabilities now. Delete that folder, or train with --reference_store none"
        )
