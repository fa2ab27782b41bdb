"""Training on scored answers as a task: the best alone, or all of them in their order.

    B  prompts of a micro-batch    A  their answers    O  ordered pairs of answers to one prompt

`rejection_sampling` is SFT on the best answer (RAFT: Dong et al. 2023, https://arxiv.org/abs/2304.06767).
`rrhf` (Yuan et al. 2023, https://arxiv.org/abs/2304.05302) with p = log-probability per token:

    sum over score_i < score_j of max(0, p_i - p_j)  +  sft_weight * -log pi(best)

Neither has a reference.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from train.data.ranked import Ranked, load_ranked
from train.data.split import Split
from train.forward.answers import Answer
from train.forward.logprobs import AnswerLogprobs, answer_logprobs
from train.losses.ranked import Orders, rrhf
from train.losses.sft import SFT_REDUCTIONS
from train.models.language import load_model, merged
from train.preference.config import TrainConfig
from train.preference.reference import reference_identity
from train.trainer.task import Measured, Run

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedTokenizerBase

METRICS = ("loss", "sft_loss", "logps/chosen", "logps/chosen_per_token")
RRHF_METRICS = (*METRICS, "logps/rejected_per_token", "ranking/loss", "ranking/accuracies")
"""Means over prompts; chosen is the best answer and rejected the worst. `ranking/accuracies` is the
share of ordered pairs whose better answer is the likelier one per token."""


class RankedSet(NamedTuple):
    """Prompts with their answers; no reference belongs to them."""

    items: Sequence[Ranked]


class RankedTask:
    """Likelihoods of the answers to each prompt."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._best_only = config.loss == "rejection_sampling"
        self._sft = SFT_REDUCTIONS[config.sft_reduction]
        self.metrics: tuple[str, ...] = METRICS if self._best_only else RRHF_METRICS

    def read(self, tokenizer: "PreTrainedTokenizerBase") -> Split[Ranked]:
        """Return prompts with their answers as token ids."""
        return load_ranked(self._config, tokenizer, best_only=self._best_only)

    def identity(self) -> dict[str, str]:
        """Return the identity of the reference, where it is a model of its own."""
        return reference_identity(self._config)

    def load_model(self, *, bf16: bool) -> Any:
        """Return a causal language model."""
        return load_model(self._config, bf16=bf16)

    def prepare(
        self,
        accelerator: "Accelerator",
        policy: nn.Module,
        items: Sequence[Ranked],
        used: Sequence[int] | None = None,
    ) -> RankedSet:
        """Return the items as they are: no reference is computed."""
        return RankedSet(items)

    def look_ahead(self, run: Run, data: RankedSet, indices: Sequence[int]) -> None:
        """Do nothing: the loss of each item is its own."""

    def measure(self, policy: nn.Module, data: RankedSet, indices: Sequence[int]) -> Measured:
        """Return the loss of each prompt, and how likely its answers are."""
        asked = self.answers([data.items[index] for index in indices])
        return self._measured(answer_logprobs(policy, asked), data, indices)

    def answers(self, items: Sequence[Ranked]) -> list[Answer]:
        """Return the answers to each prompt, best first."""
        return [Answer(item.prompt_tokens, ids) for item in items for ids in item.answers]

    def values(self, policy: nn.Module, answers: Sequence[Answer]) -> Tensor:
        """Return log-probabilities."""
        found: AnswerLogprobs = answer_logprobs(policy, answers)
        return found.sums_A

    def measured(self, values_A: Tensor, data: RankedSet, indices: Sequence[int]) -> Measured:
        """Return the loss of each prompt, from the log-probabilities of its answers."""
        lengths = [len(ids) for index in indices for ids in data.items[index].answers]
        logps = AnswerLogprobs(values_A, torch.tensor(lengths).to(values_A.device, non_blocking=True))
        return self._measured(logps, data, indices)

    def _measured(self, logps: AnswerLogprobs, data: RankedSet, indices: Sequence[int]) -> Measured:
        items = [data.items[index] for index in indices]
        per_token_A = logps.sums_A / logps.tokens_A
        starts = torch.tensor([0, *(len(item.answers) for item in items)]).cumsum(0).to(per_token_A.device)
        best_B, worst_B = starts[:-1], starts[1:] - 1
        sft_B = self._sft(logps.sums_A[best_B], logps.tokens_A[best_B])
        values = {
            "sft_loss": sft_B,
            "logps/chosen": logps.sums_A[best_B],
            "logps/chosen_per_token": per_token_A[best_B],
        }
        # A term of weight zero must not cost a gradient, nor turn an infinity into NaN.
        losses_B = self._config.sft_weight * sft_B if self._config.sft_weight else torch.zeros_like(sft_B)
        if not self._best_only:
            orders = orders_of(items, per_token_A.device)
            ranking_B = rrhf(per_token_A, orders, len(items))
            right_O = (per_token_A[orders.better_O] > per_token_A[orders.worse_O]).float()
            number_B = torch.bincount(orders.item_O, minlength=len(items))
            losses_B = losses_B + ranking_B
            values |= {
                "logps/rejected_per_token": per_token_A[worst_B],
                "ranking/loss": ranking_B,
                "ranking/accuracies": right_O.new_zeros(len(items)).index_add(0, orders.item_O, right_O)
                / number_B,
            }
        losses_B = losses_B * losses_B.new_tensor([item.weight for item in items])
        values["loss"] = losses_B
        metrics_KB = torch.stack([values[name].detach() for name in self.metrics])
        return Measured(losses_B, metrics_KB, torch.isfinite(metrics_KB).all(0))

    def check_start(self, run: Run, data: RankedSet, indices: Sequence[int]) -> None:
        """Do nothing: there is no reference that the model could differ from."""

    def conclude(self, run: Run, held_out: RankedSet, folder: Path) -> None:
        """Do nothing: the metrics say everything."""

    def publishable(self, model: Any) -> Any:
        """Return the model as it is, its adapter, or that merged into it."""
        return merged(model, self._config.merge_scale) if self._config.merge_adapter else model


def orders_of(items: Sequence[Ranked], device: torch.device) -> Orders:
    """Return every two answers to one prompt that differ in score, as places among all answers."""
    found, start = [], 0
    for number, item in enumerate(items):
        for better in range(len(item.scores)):
            for worse in range(better + 1, len(item.scores)):
                if item.scores[better] > item.scores[worse]:
                    found.append((start + better, start + worse, number))
        start += len(item.scores)
    return Orders(*torch.tensor(found, dtype=torch.long, device=device).reshape(-1, 3).unbind(1))
