"""Preference training on single answers, each labelled as desirable or not.

    A  answers

Losses that see the two answers of a pair apart have a form for them: `kto`, `bco`,
`apo_zero_unpaired`. The mean is over answers. Each answer goes through the machinery of pairs as both
sides of one, and is computed once.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pairwright.errors import UsageError
from train.data.labelled import load_labelled
from train.data.pairs import Pair
from train.data.split import Split
from train.losses.anchored import apo_zero_unpaired
from train.losses.unpaired import bco_unpaired, kto_unpaired
from train.preference.config import TrainConfig
from train.preference.kto import KtoTask
from train.preference.objective import PairLosses
from train.preference.pair_logprobs import PairSet, beside_reference
from train.preference.task import PreferenceTask, finite
from train.trainer.task import Measured

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedTokenizerBase

UNPAIRED: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {"kto": kto_unpaired, "bco": bco_unpaired, "apo_zero_unpaired": apo_zero_unpaired}
)
"""Losses of single answers: (delta, desirable, *, beta, ...), each (A,), to losses (A,)."""
_SIDES = ("rewards", "logps", "logratios")
METRICS = ("loss", *(f"{name}/{side}" for name in _SIDES for side in ("chosen", "rejected")), "sft_loss")
"""Chosen are the desirable answers, rejected the others. The mean over all rows of the data is that of
its kind; over a few of them it is so on average."""


class UnpairedTask(PreferenceTask):
    """Policy against reference, on one answer a row."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__(config)
        if config.use_weighting or config.token_weight is not None:
            name = "use_weighting" if config.use_weighting else "token_weight"
            raise UsageError(f"--{name} is a setting of pairs, and these are single answers: leave it out")
        self.metrics = METRICS

    def read(self, tokenizer: "PreTrainedTokenizerBase") -> Split[Pair]:
        """Return answers as token ids."""
        self.require_vocabulary(tokenizer)
        return load_labelled(self._config, tokenizer)

    def at_reference(self) -> float:
        """Return the loss of a desirable answer where policy and reference agree."""
        return float(self._preference(torch.zeros(1), torch.ones(1, dtype=torch.bool)))

    def _preference(self, delta_A: Tensor, desirable_A: Tensor) -> Tensor:
        formula, objective = UNPAIRED[self._config.loss], self.objective
        return formula(delta_A, desirable_A, beta=objective.beta, **objective.options)

    def prepare(
        self,
        accelerator: "Accelerator",
        policy: nn.Module,
        items: Sequence[Pair],
        used: Sequence[int] | None = None,
    ) -> Any:
        """Ask the reference, and find how many of the answers are desirable."""
        desirable = sum(bool(item.label) for item in items)
        found = super().prepare(accelerator, policy, items, used)
        return found._replace(shares=(_per(items, desirable), _per(items, len(items) - desirable)))

    def measured(self, values_A: Tensor, data: PairSet, indices: Sequence[int]) -> Measured:
        """Return losses and metrics of some answers, from their log-probabilities."""
        logps = beside_reference(values_A, data, indices)
        objective, delta_A = self.objective, logps.delta_w
        desirable_A = torch.tensor([bool(data.items[index].label) for index in indices]).to(delta_A.device)
        losses_A = self._preference(delta_A, desirable_A)
        sft_A = torch.where(desirable_A, objective.sft(logps.policy_w, logps.tokens_w), 0.0)
        if objective.sft_weight:
            losses_A = losses_A + objective.sft_weight * sft_A
        losses_A = losses_A * logps.weight
        shown = {"rewards": objective.beta * delta_A, "logps": logps.policy_w, "logratios": delta_A}
        with torch.no_grad():
            values = {"loss": losses_A, "sft_loss": sft_A}
            for side, wanted_A, share in zip(
                ("chosen", "rejected"), (desirable_A, ~desirable_A), data.shares, strict=True
            ):
                for name, value_A in shown.items():
                    values[f"{name}/{side}"] = torch.where(wanted_A, value_A * share, 0.0)
            values_KA = torch.stack([values[name].detach() for name in METRICS])
        return Measured(losses_A, values_KA, finite(logps, PairLosses(losses_A, sft_A)))


def _per(items: Sequence[Pair], some: int) -> float:
    return len(items) / some if some else 0.0


class UnpairedKtoTask(UnpairedTask, KtoTask):
    """The same with KTO's reference point: answers beside prompts that are not theirs."""


def unpaired_task(config: TrainConfig) -> UnpairedTask:
    """Return the task for single answers, of one of the losses that have a form for them."""
    return UnpairedKtoTask(config) if config.loss == "kto" else UnpairedTask(config)
