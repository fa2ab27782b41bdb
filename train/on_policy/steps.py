"""The commands of one round and their settings: the loop's sections, and what depends on the round."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from judge.command import judge
from judge.comparison.command import winrate
from judge.comparison.config import WinrateConfig
from judge.config import JudgeConfig
from judge.evaluation.command import evaluate
from judge.evaluation.config import EvaluateConfig
from pairwright.stages.sample import SampleConfig, sample
from revise.command import revise
from revise.config import ReviseConfig
from train.on_policy.config import LoopConfig
from train.on_policy.slices import sampled_from
from train.output.record import TrainResult
from train.preference.config import TrainConfig
from train.preference.reference_store import NONE
from train.rounds.engines import adapter_settings
from train.rounds.evaluation import evaluating
from train.rounds.folder import round_folder
from train.rounds.steps import RoundSteps
from train.training import train


class Commands(NamedTuple):
    """The commands of a loop; each does nothing if its folder is finished."""

    sample: Callable[[SampleConfig], Any] = sample
    judge: Callable[[JudgeConfig], Any] = judge
    revise: Callable[[ReviseConfig], Any] = revise
    winrate: Callable[[WinrateConfig], Any] = winrate
    evaluate: Callable[[EvaluateConfig], Any] = evaluate
    train: Callable[[TrainConfig], TrainResult] = train


COMMANDS = Commands()
ANSWERS = "answers.jsonl"
"""The answers to held-out prompts as they are compared."""
WINRATE = "winrate"
"""The run of a round in which its answers are compared with the start's."""


class Steps(RoundSteps[LoopConfig]):
    """The steps of round `number` of the loop in `folder`, with their settings."""

    trained = "model"

    @property
    def prompts(self) -> Path:
        """The file of the prompts that the round samples from."""
        return (self._folder if self._config.prompts_per_round is None else self.here) / "prompts.jsonl"

    @property
    def answering(self) -> SampleConfig:
        """Answers to the prompts, by the model that the round begins with or the last that was synced."""
        return self._sampling(self.answering_model, self.prompts, "answers")

    @property
    def answering_model(self) -> int:
        """The round whose model answers."""
        every, overlap = self._config.sync_every, self._config.overlap
        return sampled_from(self._number, every, overlap=overlap)

    @property
    def judging(self) -> JudgeConfig:
        """Pairs of these answers that judges tell apart."""
        section = self._placed(self._config.judge)
        return section.into(JudgeConfig, input=self._at("answers"), out=self._at("judged"))

    @property
    def revising(self) -> ReviseConfig:
        """Pairs of these answers and their revisions."""
        section = self._placed(self._config.revise)
        return section.into(ReviseConfig, input=self._at("answers"), out=self._at("revised"))

    def training(self, data: tuple[str, ...]) -> TrainConfig:
        """Return the settings of the training of the round's model on its pairs."""
        config = self._config
        initial = config.reference == "initial" and self._number > 1
        model = self.model(self._number - 1)
        return config.train.into(
            TrainConfig,
            model=model,
            data=data,
            output_dir=self._at("model"),
            ref_model=config.model if initial else None,
            reference_store=NONE,  # the pairs of a round are asked about once
            **adapter_settings(config.sample.policy, model, config.train, carried=config.carry_optimizer),
            **self._carried,
        )

    @property
    def _carried(self) -> dict[str, Any]:
        """With which optimizer the round is trained, and at which learning rates."""
        if not self._config.carry_optimizer:
            return {}
        return {
            "save_optimizer": True,
            "optimizer_from": self.model(self._number - 1) if self._number > 1 else None,
            "schedule_part": f"{self._number}/{max(self._number, self._config.rounds)}",
        }

    @property
    def looking(self) -> SampleConfig:
        """Answers to the held-out prompts, by the model after the round."""
        alone: dict[str, Any] = {"n": 1, "temperature": self._config.eval_temperature, "top_p": 1.0}
        return self._sampling(self._number, self._folder / "eval_prompts.jsonl", "samples", **alone)

    @property
    def comparing(self) -> WinrateConfig:
        """These answers beside those of the start."""
        return self._placed(self._config.winrate).into(
            WinrateConfig,
            a=self._at(ANSWERS),
            b=str(round_folder(self._folder, 0) / ANSWERS),
            prompts=str(self._folder / "eval_prompts.jsonl"),
            out=self._at(WINRATE),
        )

    @property
    def evaluating(self) -> EvaluateConfig:
        """The model after the round, measured on the held-out prompts."""
        config, model = self._config, self.model(self._number)
        prompts, use_cpu = self._folder / "eval_prompts.jsonl", config.train.use_cpu
        return evaluating(config, config.sample, model, prompts, self.here, use_cpu=use_cpu)
