"""Preference training as a task: pairs, their reference, and the losses of log-ratios."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pairwright.errors import PairwrightError, UsageError
from pairwright.models.loading import load_tokenizer
from train.data.pairs import Pair, load_pairs
from train.data.split import Split
from train.data.token_weights import TokenWeights
from train.devices.processes import say
from train.forward.answers import Answer
from train.forward.logprobs import answers_of
from train.forward.support import tree_support
from train.models.four_bits import weights_of
from train.models.language import (
    load_base,
    load_model,
    merged,
    model_identity,
    switch_randomness_off,
)
from train.preference.config import TrainConfig
from train.preference.metrics import metrics_of, pair_metrics
from train.preference.objective import PairLosses, objective_of
from train.preference.pair_logprobs import (
    PairLogprobs,
    PairSet,
    beside_reference,
    logprobs_of,
    pair_logprobs,
)
from train.preference.reference import reference_identity, with_reference
from train.preference.reference_store import NONE, ReferenceStore
from train.trainer.batches import MicroBatch
from train.trainer.passes import values_of
from train.trainer.task import Measured, Run

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

WARN_REWARD = 0.05
STOP_REWARD = 4.0
"""Mean |reward| before the first update that is suspicious, and that stops the run: APO's gradient
vanishes for |reward| >> 1, so such a run would learn nothing."""


class PreferenceTask:
    """Policy against reference, on both answers of each pair."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self.objective = objective_of(config)
        self.metrics = metrics_of(self.objective)

    def read(self, tokenizer: "PreTrainedTokenizerBase") -> Split[Pair]:
        """Return pairs as token ids."""
        self.require_vocabulary(tokenizer)
        weights = self._config.token_weight
        return load_pairs(self._config, tokenizer, TokenWeights.parse(weights) if weights else None)

    def at_reference(self) -> float:
        """Return the preference loss of a pair where policy and reference agree."""
        return self.objective.at_reference

    def require_vocabulary(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        """Raise `UsageError` for a reference that reads text as other tokens."""
        other = self._config.ref_model
        if other is not None and load_tokenizer(other).get_vocab() != tokenizer.get_vocab():
            raise UsageError(
                f"ref_model {other}: its tokens are not those of {self._config.model}; a reference has the "
                "vocabulary of the model"
            )

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
        items: Sequence[Pair],
        used: Sequence[int] | None = None,
    ) -> PairSet:
        """Compute the reference of pairs, by the model while it is still the reference or by another.

        A loss without a reference computes none.
        """
        if not self.objective.loss.reference:
            columns = 4 if self._config.token_weight else 2
            return PairSet(items, torch.zeros(len(items), columns, device=accelerator.device))
        if items:
            count = len(items) if used is None else len(used)
            of = f" of {len(items)}" if count < len(items) else ""
            say(f"reference log-probabilities of {count}{of} pairs, computed once")
        with self._reference(accelerator, policy) if items else nullcontext(policy) as reference:
            store = self.store(accelerator, reference)
            budget = self._config.micro_batch_tokens
            return with_reference(accelerator, reference, items, used, budget=budget, store=store)

    @contextmanager
    def _reference(self, accelerator: "Accelerator", policy: nn.Module) -> Iterator[nn.Module]:
        """The model that is asked; one that is not the policy is in memory no longer than that."""
        if self._config.ref_model is None:
            yield policy
            return
        model = load_base(self._config.ref_model)
        switch_randomness_off(model)
        model = accelerator.prepare_model(model, evaluation_mode=True)
        try:
            yield model
        finally:
            accelerator._models.remove(model)  # it keeps whatever it prepares

    def store(self, accelerator: "Accelerator", policy: nn.Module) -> ReferenceStore | None:
        """Return the store of log-probabilities of this reference under these numerics."""
        if self._config.reference_store == NONE:
            return None
        identity = {
            "model": model_identity(self._config.ref_model or self._config.model),
            "weights": weights_of(policy),
            "mixed_precision": accelerator.mixed_precision,
            "device": accelerator.device.type,
            "torch": torch.__version__,
            "trees": tree_support(policy).trees,
        }
        return ReferenceStore(self._config.reference_store, identity)

    def look_ahead(self, run: Run, data: PairSet, indices: Sequence[int]) -> None:
        """Do nothing: the loss of each item is its own."""

    def measure(self, policy: nn.Module, data: PairSet, indices: Sequence[int]) -> Measured:
        """Return losses and metrics of some pairs."""
        asked = self.answers([data.items[index] for index in indices])
        return self.measured(self.values(policy, asked), data, indices)

    def answers(self, items: Sequence[Pair]) -> list[Answer]:
        """Return all chosen answers, then all rejected ones."""
        return answers_of(items)

    def values(self, policy: nn.Module, answers: Sequence[Answer]) -> Tensor:
        """Return log-probabilities."""
        return logprobs_of(policy, answers, aligned=self._config.use_weighting)

    def measured(self, values_A: Tensor, data: PairSet, indices: Sequence[int]) -> Measured:
        """Return losses and metrics of some pairs, from the log-probabilities of their answers."""
        logps = beside_reference(values_A, data, indices)
        losses = self.objective(logps)
        values_KB = pair_metrics(logps, losses, self.objective)
        return Measured(losses.total_B, values_KB, finite(logps, losses))

    def check_start(self, run: Run, data: PairSet, indices: Sequence[int]) -> None:
        """Stop, or warn, if policy and reference differ before any training, unless they should."""
        if not self.objective.loss.reference:
            say(f"{self._config.loss} has no reference: none is computed")
            return
        reward = self._start_reward(run, data, indices)
        if self._config.ref_model is not None:
            self._say_how_far(reward)
            return
        say(
            f"before the first update mean |reward| is {reward:.1e}; {self._config.loss} is "
            f"{self.at_reference():.4f} at 0"
        )
        if not reward <= STOP_REWARD:
            raise PairwrightError(
                f"before the first update mean |reward| is {reward:.3g} and must be 0: policy and "
                "reference are not the same model, or its forward pass is random; nothing was trained"
            )
        if reward > WARN_REWARD:
            log.warning(
                "before the first update mean |reward| is %.3g and should be 0: a coarse number format "
                "or a random forward pass makes policy and reference differ",
                reward,
            )

    def _say_how_far(self, reward: float) -> None:
        """Where training starts, seen from a reference that it left earlier."""
        say(f"before the first update mean |reward| is {reward:.2g}, seen from {self._config.ref_model}")
        if reward > 1.0 and self._config.loss.startswith("apo"):
            log.warning(
                "mean |reward| is %.2g before the first update: the gradient of %s vanishes so far from "
                "its reference; take a nearer one, or a smaller beta",
                reward,
                self._config.loss,
            )

    def _logprobs(self, policy: nn.Module, data: PairSet, micro: MicroBatch) -> PairLogprobs:
        """Policy and reference on the pairs of a micro-batch."""
        if not micro.parts:
            return pair_logprobs(policy, data, micro.indices)
        asked = self.answers([data.items[index] for index in micro.indices])
        found = values_of(lambda some: self.values(policy, some), asked, micro)
        return beside_reference(found, data, micro.indices)

    @torch.no_grad()
    def _start_reward(self, run: Run, data: PairSet, indices: Sequence[int]) -> float:
        """Mean |reward| over some pairs, which must be 0 before the first update."""
        sums = torch.zeros(2, device=run.accelerator.device)
        for micro in run.deal(indices, data):
            logps = self._logprobs(run.policy, data, micro)
            rewards = self.objective.beta * torch.cat([logps.delta_w, logps.delta_l])
            sums += micro.weight * torch.stack([rewards.abs().sum(), rewards.new_tensor(len(rewards))])
        total, count = run.accelerator.reduce(sums, reduction="sum").tolist()
        mean: float = total / count
        return mean

    def conclude(self, run: Run, held_out: PairSet, folder: Path) -> None:
        """Do nothing: the metrics say everything."""

    def publishable(self, model: Any) -> Any:
        """Return the model as it is, its adapter, or that merged into it."""
        return merged(model, self._config.merge_scale) if self._config.merge_adapter else model


def finite(logps: PairLogprobs, losses: PairLosses) -> Tensor:
    """Return which pairs have a finite loss and log-probabilities: a bounded loss hides infinities."""
    values = torch.stack([losses.total_B, logps.policy_w, logps.policy_l])
    return torch.isfinite(values.detach()).all(0)
