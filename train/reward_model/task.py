"""Reward training as a task: Bradley–Terry on human pairs, and golden answers over sampled ones.

    B  pairs of a micro-batch    r_w, r_l  rewards of chosen and rejected

Cheng et al. 2024, Adversarial Preference Optimization, eq. 17, https://arxiv.org/abs/2311.08045:
the KL constraint that keeps rewards a model of human preference is, but for a constant, the ranking
loss on human pairs; golden pairs teach it what the current language model still lacks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from train.data.split import Split
from train.forward.answers import Answer
from train.forward.logprobs import answers_of
from train.forward.rewards import all_scores, answer_scores
from train.losses.rewards import centring, ranking, wgan
from train.models.language import merged
from train.models.reward import load_for_reward_training
from train.reward_model.config import RewardConfig
from train.reward_model.pairs import RewardPair, load_reward_pairs, pairs_of
from train.reward_model.report import PairScores, write_report
from train.trainer.passes import by_answer
from train.trainer.task import Measured, Run

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedTokenizerBase

METRICS = (
    "loss",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/accuracies",
    "rewards/margins",
    "rewards/ties",
)
"""Means over pairs, human and golden ones alike; `loss` has their weights in it. In
`rewards/accuracies` a tie counts half; `rewards/ties` is their share."""


class RewardSet(NamedTuple):
    """Pairs as they are: a reward model has no reference."""

    items: Sequence[RewardPair]


class RewardTask:
    """Rewards of both answers of each pair."""

    metrics: tuple[str, ...] = METRICS

    def __init__(self, config: RewardConfig) -> None:
        self._config = config

    def read(self, tokenizer: "PreTrainedTokenizerBase") -> Split[RewardPair]:
        """Return human and golden pairs as token ids."""
        self._tokenizer = tokenizer
        return load_reward_pairs(self._config, tokenizer)

    def identity(self) -> dict[str, str]:
        """Return nothing: there is no reference."""
        return {}

    def load_model(self, *, bf16: bool) -> Any:
        """Return a sequence classifier with one output."""
        return load_for_reward_training(self._config, self._tokenizer, bf16=bf16)

    def prepare(
        self,
        accelerator: "Accelerator",
        policy: nn.Module,
        items: Sequence[RewardPair],
        used: Sequence[int] | None = None,
    ) -> RewardSet:
        """Return the items as they are: no reference is computed."""
        return RewardSet(items)

    def look_ahead(self, run: Run, data: RewardSet, indices: Sequence[int]) -> None:
        """Do nothing: the loss of each item is its own."""

    def measure(self, policy: nn.Module, data: RewardSet, indices: Sequence[int]) -> Measured:
        """Return the weighted loss of each pair, and its rewards."""
        asked = self.answers([data.items[index] for index in indices])
        return self.measured(self.values(policy, asked), data, indices)

    def answers(self, items: Sequence[RewardPair]) -> list[Answer]:
        """Return all chosen answers, then all rejected ones."""
        return answers_of(pairs_of(items))

    def values(self, policy: nn.Module, answers: Sequence[Answer]) -> Tensor:
        """Return rewards."""
        return answer_scores(policy, answers)

    def measured(self, values_A: Tensor, data: RewardSet, indices: Sequence[int]) -> Measured:
        """Return the weighted loss of each pair, and its rewards."""
        items = [data.items[index] for index in indices]
        rewards_w, rewards_l = values_A.chunk(2)
        losses_B = self.losses(rewards_w, rewards_l, items)
        return Measured(
            losses_B, _metrics(losses_B, rewards_w, rewards_l), torch.isfinite(losses_B.detach())
        )

    def losses(self, rewards_w: Tensor, rewards_l: Tensor, items: Sequence[RewardPair]) -> Tensor:
        """Return rm_kl * ranking of human pairs, apo_coeff / apo_samples * the chosen loss of golden ones.

        The term that centres rewards, and the weight of its row, are in the loss of each.
        """
        margin_B = rewards_w.new_tensor([item.margin for item in items])
        weight_B = rewards_w.new_tensor([item.weight for item in items])
        losses_B = ranking(rewards_w, rewards_l, margin_B)
        if self._config.loss == "wgan":
            golden_B = torch.tensor([item.golden for item in items], device=rewards_w.device)
            losses_B = torch.where(golden_B, wgan(rewards_w, rewards_l), losses_B)
        if self._config.center_rewards:
            losses_B = losses_B + self._config.center_rewards * centring(rewards_w, rewards_l)
        return weight_B * losses_B

    def check_start(self, run: Run, data: RewardSet, indices: Sequence[int]) -> None:
        """Do nothing: a new head gives small random rewards; there is nothing that they must be."""

    def conclude(self, run: Run, held_out: RewardSet, folder: Path) -> None:
        """Write how good the held-out rewards are, of human and of golden pairs apart."""
        pairs = held_out.items
        micros = run.deal(range(len(pairs)), held_out)
        rewards_A = all_scores(run.policy, self.answers(pairs), by_answer(micros, pairs))
        rewards_P2 = run.accelerator.reduce(rewards_A).view(2, -1).T.cpu()
        if run.accelerator.is_main_process:
            scores = {}
            for name, golden in (("human", False), ("golden", True)):
                places = [i for i, pair in enumerate(pairs) if pair.golden == golden]
                scores[name] = PairScores.of([pairs[i] for i in places], rewards_P2[places])
            write_report(folder, scores, bins=self._config.bins)

    def publishable(self, model: Any) -> Any:
        """Return all weights, adapters merged, so that any reader of sequence classifiers can load it."""
        return merged(model)


def _metrics(losses_B: Tensor, rewards_w: Tensor, rewards_l: Tensor) -> Tensor:
    with torch.no_grad():
        margins = rewards_w - rewards_l
        values = {
            "loss": losses_B,
            "rewards/chosen": rewards_w,
            "rewards/rejected": rewards_l,
            "rewards/accuracies": (margins.sign() + 1) / 2,
            "rewards/margins": margins,
            "rewards/ties": (margins == 0).float(),
        }
        return torch.stack([values[name] for name in METRICS])
