"""`pairwright game`: rounds of reward model against language model.

Cheng et al. 2024, Adversarial Preference Optimization, https://arxiv.org/abs/2311.08045

    min over r, max over pi   E_{y ~ pi} r(x, y)  -  E_{y ~ gold} r(x, y)

A round samples from the language model, teaches a reward model that golden answers are better than
these and human preferences still hold, and moves the language model towards what it scores highest.
Whether that made it better is asked of a separate reward model. Every step is a command of its own,
resumable by itself, so a game goes on wherever it was stopped; engines are closed before training.
"""

import logging
from pathlib import Path
from typing import Any

from judge.comparison.command import load_winrate, winrate
from judge.comparison.config import WinrateConfig
from judge.config import JudgeConfig
from judge.stronger import StrongerStage
from pairwright.folders.lock import FolderLock
from pairwright.folders.shards import read_tables
from pairwright.inputs.sources import open_source
from pairwright.models.loading import require_reward_model
from pairwright.models.names import find_model, model_identity
from pairwright.stages.run import run_stage
from pairwright.stages.sample import SampleConfig, sample
from train.adversarial.config import GameConfig
from train.adversarial.measures import kl_from_start, measure_answers, measure_reward
from train.adversarial.prompts import Halves, Prompts, keep_prompts, read_halves
from train.adversarial.table import write_table
from train.adversarial.warnings import failure_signs
from train.devices.processes import say
from train.preference.config import TrainConfig
from train.preference.reference_store import NONE
from train.reward_model.config import RewardConfig, ScoreConfig
from train.reward_model.score import score
from train.rounds.folder import enter, finished_rounds, read_measures, round_folder, write_measures
from train.training import train

log = logging.getLogger(__name__)


class GoldenVsSampled(StrongerStage):
    """Pairs of a golden answer over an answer that the language model sampled."""

    source = "golden_vs_sampled"


def game(config: GameConfig) -> list[dict[str, Any]]:
    """Play all rounds, or those that are still to be played; returns the table, the start first.

    Raises `UsageError` for what cannot be used as given, and `PairwrightError` for what went wrong;
    the same command then goes on where it stopped.
    """
    folder = Path(config.output_dir)
    identity, halves = _identity(config), read_halves(config)
    with FolderLock(folder):
        enter(folder, identity, "game")
        return _Game(config, folder, halves).play()


class _Game:
    """The moves, each a stage or a training of its own that does nothing when it is done."""

    def __init__(self, config: GameConfig, folder: Path, halves: Halves) -> None:
        self._config = config
        self._folder = folder
        self._prompts: Prompts = keep_prompts(halves, config, folder, self._write_golden)

    def play(self) -> list[dict[str, Any]]:
        """The start, then round after round; the table grows with each."""
        evaluator = self._evaluator()
        for number in range(self._config.rounds + 1):
            if read_measures(round_folder(self._folder, number)) is None:
                say(f"── round {number} of {self._config.rounds}")
                measures = self._round(number) if number else {}
                measures |= self._measure(number, evaluator)
                write_measures(round_folder(self._folder, number), {"round": number, **measures})
                rows = list(finished_rounds(self._folder))
                write_table(self._folder, rows)
                for sign in failure_signs(rows, self._config):
                    log.warning("round %d: %s", number, sign)
        return list(finished_rounds(self._folder))

    def _round(self, number: int) -> dict[str, Any]:
        """One move of each player; returns what is measured of the reward model."""
        here = round_folder(self._folder, number)
        policy = self._policy(number - 1)
        if self._config.apo_coeff:
            self._sample(policy, self._prompts.rm, here / "rm_samples")
            self._pair_golden(here / "rm_samples", here / "golden_pairs")
        reward = self._reward_config(number)
        train(reward)
        self._sample(policy, self._prompts.llm, here / "llm_samples")
        self._score(reward.output_dir, here / "llm_samples", here / "scored")
        train(self._llm_config(number, policy))
        rounds = range(1, number + 1) if self._config.apo_coeff else ()
        golden = {str(n): str(round_folder(self._folder, n) / "golden_pairs") for n in rounds}
        return measure_reward(reward, golden)

    def _measure(self, number: int, evaluator: str) -> dict[str, Any]:
        """What the language model is like after a round, by a reward model that never trains it."""
        config, here = self._config, round_folder(self._folder, number)
        policy, samples = self._policy(number), here / "samples"
        self._sample(
            policy, self._prompts.evaluation, samples, n=config.eval_n, temperature=config.eval_temperature
        )
        self._score(evaluator, samples, here / "scores")
        start = self._policy(0)
        measures: dict[str, Any] = measure_answers(samples, here / "scores")
        measures |= (
            kl_from_start(samples, policy, start, size=config.batch_size, use_cpu=config.use_cpu)
            if number
            else {"kl": 0.0, "kl_per_token": 0.0}
        )
        if config.judge is not None and number:
            measures["win_rate"] = self._win_rate(number)
        return measures

    def _policy(self, number: int) -> str:
        """The language model after a round."""
        return str(round_folder(self._folder, number) / "llm") if number else self._config.model

    def _sample(
        self,
        policy: str,
        prompts: Path,
        out: Path,
        *,
        n: int | None = None,
        temperature: float | None = None,
    ) -> None:
        config = self._config
        sample(
            SampleConfig(
                input=str(prompts),
                out=str(out),
                policy=f"hf:{policy}",
                n=config.samples if n is None else n,
                temperature=config.temperature if temperature is None else temperature,
                top_p=config.top_p if temperature is None else 1.0,
                max_tokens=config.max_tokens,
                batch_size=config.batch_size,
                device=self._device,
            )
        )

    def _pair_golden(self, samples: Path, out: Path) -> None:
        pairing = JudgeConfig(
            input=str(samples), out=str(out), stronger="golden", answer_column="completion", pairs="all"
        )
        run_stage(GoldenVsSampled(pairing), pairing, pairing.reader, run=pairing)

    def _score(self, reward_model: str, answers: Path, out: Path) -> None:
        config = self._config
        score(
            ScoreConfig(
                reward_model=reward_model,
                input=str(answers),
                out=str(out),
                max_length=config.max_length,
                batch_size=config.batch_size,
                device=self._device,
            )
        )

    def _evaluator(self) -> str:
        """The separate reward model: the named one, or one trained on human pairs alone."""
        if self._config.evaluator is not None:
            return self._config.evaluator
        human = self._config.evaluator_data or self._config.human
        out = self._folder / "evaluator"
        if not read_measures(round_folder(self._folder, 0)):
            train(self._reward_settings(data=human, output_dir=str(out), seed=self._config.seed + 1))
        return str(out)

    def _reward_config(self, number: int) -> RewardConfig:
        """Settings of a round's reward model.

        Without golden pairs every round's would be the first one over again, so that one stays.
        """
        config = self._config
        golden = {
            "golden_data": str(round_folder(self._folder, number) / "golden_pairs"),
            "loss": config.rm_loss,
            "rm_kl": config.rm_kl,
            "apo_coeff": config.apo_coeff,
            "apo_samples": config.samples,
        }
        home = number if config.apo_coeff or config.sequential else 1
        before = round_folder(self._folder, number - 1) / "reward"
        return self._reward_settings(
            data=config.human,
            output_dir=str(round_folder(self._folder, home) / "reward"),
            seed=config.seed,
            **({"model": str(before)} if config.sequential and number > 1 else {}),
            **(golden if config.apo_coeff else {}),
        )

    def _reward_settings(self, **settings: Any) -> RewardConfig:
        config = self._config
        common: dict[str, Any] = self._common | {
            "model": config.rm_model or config.model,
            "learning_rate": config.rm_learning_rate,
            "lr_scheduler_type": "linear",
            "num_train_epochs": config.rm_epochs,
            "pairs_per_update": config.rm_pairs_per_update,
            "bins": config.bins,
        }
        return RewardConfig(**common | settings)

    def _llm_config(self, number: int, policy: str) -> TrainConfig:
        """Settings of a round's language model, which goes on from the one before."""
        config, here = self._config, round_folder(self._folder, number)
        rates = config.learning_rates
        sft = {} if config.sft_weight is None else {"sft_weight": config.sft_weight}
        return TrainConfig(
            **self._common,
            **sft,
            model=policy,
            data=(str(here / "scored"),),
            output_dir=str(here / "llm"),
            loss=config.llm_loss,
            beta=config.beta,
            learning_rate=rates[min(number, len(rates)) - 1],
            num_train_epochs=config.llm_epochs,
            pairs_per_update=config.llm_pairs_per_update,
            merge_adapter=bool(config.lora_r),
            reference_store=NONE,  # every round has a reference of its own
            seed=config.seed,
        )

    @property
    def _common(self) -> dict[str, Any]:
        """Settings that both trainings share under the same names."""
        operational = ("micro_batch_tokens", "gradient_checkpointing", "use_cpu", "save_steps")
        names = ("max_length", "eval_share", "lora_r", "bf16", *operational)
        return {name: getattr(self._config, name) for name in names}

    @property
    def _device(self) -> str:
        return "cpu" if self._config.use_cpu else "auto"

    def _write_golden(self, prompts: Path) -> dict[str, str]:
        """Golden answers by an engine, one to each prompt, asked once for the whole game."""
        out = self._folder / "golden"
        sample(
            SampleConfig(
                input=str(prompts),
                out=str(out),
                policy=self._config.golden,
                n=1,
                max_tokens=self._config.max_tokens,
                temperature=0.0,
                device=self._device,
            )
        )
        rows = [row for table in read_tables(out) for row in table.to_pylist()]
        return {row["prompt_id"]: row["completion"][0]["content"] for row in rows}

    def _win_rate(self, number: int) -> float:
        """How often a judge prefers the round's answer to the start's; ties count half."""
        here, start = round_folder(self._folder, number), round_folder(self._folder, 0)
        winrate(
            WinrateConfig(
                a=str(here / "samples"),
                b=str(start / "samples"),
                prompts=str(self._prompts.evaluation),
                out=str(here / "winrate"),
                judge=self._config.judge,
                batch_size=self._config.batch_size,
                device=self._device,
            )
        )
        return load_winrate(here / "winrate").win_rate.value


def _identity(config: GameConfig) -> dict[str, Any]:
    """All that decides what comes of a game: settings, models, prompts, pairs."""
    sources = {
        "rm_prompts": (config.rm_prompts,) if config.apo_coeff else (),
        "llm_prompts": (config.llm_prompts,),
        "eval_prompts": (config.eval_prompts,) if config.eval_prompts else (),
        "human": config.human,
        "evaluator_data": config.evaluator_data,
    }
    if config.evaluator is not None:
        require_reward_model(find_model(config.evaluator), config.evaluator)
    models = {"model": config.model, "rm_model": config.rm_model, "evaluator": config.evaluator}
    return {
        **config.of_kind("semantic"),
        **{name: [open_source(source).sha256() for source in some] for name, some in sources.items()},
        **{name: model and model_identity(model) for name, model in models.items()},
    }
