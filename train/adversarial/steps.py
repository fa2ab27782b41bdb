"""The steps of one round and their settings: the game's sections, and what depends on the round."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from judge.comparison.command import winrate
from judge.comparison.config import WinrateConfig
from judge.config import JudgeConfig
from judge.evaluation.command import evaluate
from judge.evaluation.config import EvaluateConfig
from judge.stronger import StrongerStage
from pairwright.folders.manifest import Manifest
from pairwright.stages.run import run_stage
from pairwright.stages.sample import SampleConfig, sample
from train.adversarial.config import GameConfig
from train.adversarial.measures import kl_from_start, measure_reward
from train.config import TrainingConfig
from train.output.record import TrainResult
from train.preference.config import TrainConfig
from train.preference.reference_store import NONE
from train.reward_model.config import RewardConfig, RewardObjectiveConfig, ScoreConfig
from train.reward_model.score import score
from train.rounds.config import on_one_device
from train.rounds.engines import adapter_settings
from train.rounds.evaluation import evaluating
from train.rounds.folder import round_folder
from train.rounds.steps import RoundSteps
from train.training import train


class GoldenVsSampled(StrongerStage):
    """Pairs of a golden answer over an answer that the language model sampled."""

    source = "golden_vs_sampled"


def pair(config: JudgeConfig) -> Manifest | None:
    """Pair golden answers with sampled ones, as `judge --stronger` does."""
    return run_stage(GoldenVsSampled(config), config, config.reader, run=config)


class Commands(NamedTuple):
    """The commands and measures of a game; each command does nothing if its folder is finished."""

    sample: Callable[[SampleConfig], Any] = sample
    pair: Callable[[JudgeConfig], Any] = pair
    score: Callable[[ScoreConfig], Any] = score
    winrate: Callable[[WinrateConfig], Any] = winrate
    evaluate: Callable[[EvaluateConfig], Any] = evaluate
    train: Callable[[TrainingConfig], TrainResult] = train
    measure_reward: Callable[..., dict[str, Any]] = measure_reward
    kl_from_start: Callable[..., dict[str, float]] = kl_from_start


COMMANDS = Commands()


class Steps(RoundSteps[GameConfig]):
    """The steps of round `number` of the game in `folder`, with their settings."""

    trained = "llm"

    def measuring(self, prompts: Path) -> EvaluateConfig:
        """Return the settings of `eval` for the language model after the round.

        The verifier of `eval` gives no signal to training.
        """
        config, model = self._config, self.model(self._number)
        use_cpu = config.train.use_cpu
        return evaluating(config, config.sample, model, prompts, self.here, use_cpu=use_cpu)

    def answering(self, prompts: Path, out: str) -> SampleConfig:
        """Return settings that sample answers to either half's prompts from the model before the round."""
        return self._sampling(self._number - 1, prompts, out)

    @property
    def pairing(self) -> JudgeConfig:
        """Golden answers over these."""
        return JudgeConfig(
            input=self._at("rm_samples"),
            out=self._at("golden_pairs"),
            stronger="golden",
            answer_column="completion",
            pairs="all",
        )

    @property
    def rewarding(self) -> RewardConfig:
        """The round's reward model.

        Without golden pairs every round's would be the first one over again, so that one stays.
        """
        reward = self._config.reward
        home = self._number if reward.apo_coeff or self._config.sequential else 1
        before = round_folder(self._folder, self._number - 1) / "reward"
        model = str(before) if self._config.sequential and self._number > 1 else self._base
        golden = {"golden_data": self._at("golden_pairs"), "apo_samples": self._config.sample.n}
        return reward.into(
            RewardConfig,
            model=model,
            data=self._config.human,
            output_dir=str(round_folder(self._folder, home) / "reward"),
            **(golden if reward.apo_coeff else _HUMAN_ALONE),
        )

    @property
    def evaluating(self) -> RewardConfig:
        """The separate reward model, trained on human pairs alone, with another seed."""
        return self._config.reward.into(
            RewardConfig,
            model=self._base,
            data=self._config.evaluator_data or self._config.human,
            output_dir=str(self._folder / "evaluator"),
            seed=self._config.reward.seed + 1,
            **_HUMAN_ALONE,
        )

    def scoring(self, reward_model: str, answers: str, out: str) -> ScoreConfig:
        """Return settings that score answers: all for measuring, the best alone for training if so set."""
        section = self._placed(self._config.score)
        whole = {} if out == "scored" else {"best_of_n": False}
        return section.into(
            ScoreConfig, reward_model=reward_model, input=self._at(answers), out=self._at(out), **whole
        )

    @property
    def training(self) -> TrainConfig:
        """The training of the language model on its scored answers; it goes on from the round before."""
        section = self._config.train
        rates = section.learning_rate
        model = self.model(self._number - 1)
        return section.into(
            TrainConfig,
            model=model,
            data=(self._at("scored"),),
            output_dir=self._at("llm"),
            learning_rate=rates[min(self._number, len(rates)) - 1],
            reference_store=NONE,  # every round has a reference of its own
            **adapter_settings(self._config.sample.policy, model, section),
        )

    def looking(self, prompts: Path) -> SampleConfig:
        """Return settings that sample answers to the evaluation's prompts from the model after a round."""
        config = self._config
        return self._sampling(
            self._number,
            prompts,
            "samples",
            n=config.eval_n,
            temperature=config.eval_temperature,
            top_p=1.0,
        )

    def comparing(self, prompts: Path) -> WinrateConfig:
        """Return the settings that compare these answers with those of the start."""
        return self._placed(self._config.winrate).into(
            WinrateConfig,
            a=self._at("samples"),
            b=str(round_folder(self._folder, 0) / "samples"),
            prompts=str(prompts),
            out=self._at("winrate"),
        )

    @property
    def _base(self) -> str:
        return self._config.reward.model or self._config.model


def writing_golden(config: GameConfig, prompts: Path, out: Path) -> SampleConfig:
    """Return the settings by which an engine writes golden answers, one to each prompt, greedily."""
    section = on_one_device(config.sample, use_cpu=config.train.use_cpu)
    vllm: dict[str, Any] = {} if config.golden.startswith("vllm:") else {"engine": {}}
    return section.into(
        SampleConfig,
        input=str(prompts),
        out=str(out),
        policy=config.golden,
        n=1,
        temperature=0.0,
        top_p=1.0,
        **vllm,
    )


_HUMAN_ALONE = RewardObjectiveConfig().model_dump(exclude={"bins"})
"""The objective where there are no golden pairs."""
