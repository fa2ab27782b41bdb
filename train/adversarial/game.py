"""`pairwright game`: rounds of reward model against language model.

Cheng et al. 2024, Adversarial Preference Optimization, https://arxiv.org/abs/2311.08045

    min over r, max over pi   E_{y ~ pi} r(x, y)  -  E_{y ~ gold} r(x, y)

A round samples from the language model, teaches a reward model that golden answers are better than
these and human preferences still hold, and moves the language model towards what it scores highest.
Whether that made it better is asked of a separate reward model. Every step is a command of its own,
resumable by itself, so a game goes on wherever it was stopped; engines are closed before training.
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from judge.comparison.command import load_winrate
from judge.comparison.config import WinrateConfig
from judge.evaluation.config import EvaluateConfig
from pairwright.engines.kinds import is_function
from pairwright.errors import UsageError
from pairwright.folders.lock import FolderLock
from pairwright.folders.shards import read_tables
from pairwright.inputs.sources import open_source
from pairwright.models.loading import require_reward_model
from pairwright.models.names import find_model, model_identity
from pairwright.plugins import is_there
from pairwright.stages.preview import telling_once
from pairwright.stages.sample import SampleConfig
from train.adversarial.config import GameConfig, record_today
from train.adversarial.measures import measure_answers
from train.adversarial.preview import rehearse
from train.adversarial.prompts import Halves, Prompts, keep_prompts, read_halves
from train.adversarial.steps import COMMANDS, Commands, Steps, writing_golden
from train.adversarial.table import write_table
from train.adversarial.warnings import failure_signs
from train.devices.processes import say
from train.models.four_bits import require_four_bits
from train.rounds.answers import require_answers
from train.rounds.best import link_best
from train.rounds.budget import RoundsBudget
from train.rounds.config import engine_of
from train.rounds.engines import Asked, models_asked, through_rounds
from train.rounds.evaluation import comparing, pass_rates, verifiers_of
from train.rounds.folder import begins, enter, finished_rounds, read_measures, round_folder, write_measures
from train.rounds.refusals import in_sections

C = TypeVar("C", SampleConfig, WinrateConfig, EvaluateConfig)
log = logging.getLogger(__name__)


def game(config: GameConfig, commands: Commands = COMMANDS) -> list[dict[str, Any]]:
    """Play all rounds, or those that are still to be played; returns the table, the start first.

    After a preview or a dry run the table is empty. Raises `UsageError` for what cannot be used as
    given, and `PairwrightError` for what went wrong; the same command then goes on where it stopped.
    """
    folder, commands = Path(config.output_dir), in_sections(commands, config)
    identity, halves = _identity(config), read_halves(config)
    if config.preview or config.dry_run:
        rehearse(config, commands, halves)
        return []
    budget = RoundsBudget(config, folder)
    living = through_rounds(config.sample.policy, config.model, config.train)
    with FolderLock(folder), living, telling_once():
        enter(folder, identity, "game", partial(record_today, config=config, now=identity))
        return _Game(config, folder, halves, commands, budget).play()


class _Game:
    """The moves, each a stage or a training of its own that does nothing when it is done."""

    def __init__(
        self,
        config: GameConfig,
        folder: Path,
        halves: Halves,
        commands: Commands,
        budget: RoundsBudget,
    ) -> None:
        self._config = config
        self._folder = folder
        self._commands = commands
        self._budget = budget
        self._prompts: Prompts = keep_prompts(halves, config, folder, self._write_golden)

    def play(self) -> list[dict[str, Any]]:
        """Play the start and all rounds; each adds a row to the table."""
        evaluator = self._evaluator()
        for number in range(self._config.rounds + 1):
            if read_measures(round_folder(self._folder, number)) is None:
                say(f"── round {number} of {self._config.rounds}")
                measures = self._round(number) if number else {}
                measures |= self._measure(number, evaluator)
                write_measures(round_folder(self._folder, number), {"round": number, **measures})
                rows = list(finished_rounds(self._folder))
                write_table(self._folder, rows)
                link_best(self._folder, rows, "llm")
                for sign in failure_signs(rows, self._config):
                    log.warning("round %d: %s", number, sign)
        return list(finished_rounds(self._folder))

    def _round(self, number: int) -> dict[str, Any]:
        """One move of each player; returns what is measured of the reward model."""
        steps = Steps(self._config, self._folder, number)
        against_golden = bool(self._config.reward.apo_coeff)
        if against_golden:
            self._run(self._commands.sample, steps.answering(self._prompts.rm, "rm_samples"))
            require_answers(steps.here / "rm_samples", number, compared=False)
            self._commands.pair(steps.pairing)
        reward = steps.rewarding
        self._commands.train(reward)
        self._run(self._commands.sample, steps.answering(self._prompts.llm, "llm_samples"))
        require_answers(steps.here / "llm_samples", number, compared=False)
        self._commands.score(steps.scoring(reward.output_dir, "llm_samples", "scored"))
        self._commands.train(steps.training)
        rounds = range(1, number + 1) if against_golden else ()
        golden = {str(n): str(round_folder(self._folder, n) / "golden_pairs") for n in rounds}
        return self._commands.measure_reward(reward, golden)

    def _measure(self, number: int, evaluator: str) -> dict[str, Any]:
        """What the language model is like after a round, by a reward model that never trains it."""
        config, steps = self._config, Steps(self._config, self._folder, number)
        samples = steps.here / "samples"
        passed: dict[str, Any] = {}
        if config.evaluates:
            self._run(self._commands.evaluate, steps.measuring(self._prompts.evaluation))
            passed = pass_rates(self._folder, number, list(finished_rounds(self._folder)))
        self._run(self._commands.sample, steps.looking(self._prompts.evaluation))
        self._commands.score(steps.scoring(evaluator, "samples", "scores"))
        measures: dict[str, Any] = measure_answers(samples, steps.here / "scores") | passed
        size, use_cpu = config.score.batch_size, config.train.use_cpu
        measures |= (
            self._commands.kl_from_start(
                samples, steps.model(number), steps.model(0), size=size, use_cpu=use_cpu
            )
            if number
            else {"kl": 0.0, "kl_per_token": 0.0}
        )
        if config.winrate.judge is not None and number:
            self._run(self._commands.winrate, steps.comparing(self._prompts.evaluation))
            measures["win_rate"] = load_winrate(steps.here / "winrate").win_rate.value
        return measures

    def _run(self, command: Callable[[C], Any], config: C) -> None:
        """Run a command within what the others have left of the budget."""
        self._budget.within(command, config, Path(config.out))

    def _evaluator(self) -> str:
        """The separate reward model: the named one, or one trained on human pairs alone."""
        if self._config.evaluator is not None:
            return self._config.evaluator
        training = Steps(self._config, self._folder, 0).evaluating
        if not read_measures(round_folder(self._folder, 0)):
            self._commands.train(training)
        return training.output_dir

    def _write_golden(self, prompts: Path) -> dict[str, str]:
        """Golden answers by an engine, one to each prompt, asked once for the whole game."""
        out = self._folder / "golden"
        self._run(self._commands.sample, writing_golden(self._config, prompts, out))
        rows = [row for table in read_tables(out) for row in table.to_pylist()]
        return {row["prompt_id"]: row["completion"][0]["content"] for row in rows}


def _identity(config: GameConfig) -> dict[str, Any]:
    """Everything that decides the results of a game: settings, models, prompts, pairs."""
    sources = {
        "rm_prompts": (config.split_of(config.rm_prompts),) if config.reward.apo_coeff else (),
        "llm_prompts": (config.split_of(config.llm_prompts),),
        "eval_prompts": (config.split_of(config.eval_prompts),) if config.eval_prompts else (),
        "human": tuple(map(config.reward.split_of, config.human)),
        "evaluator_data": tuple(map(config.reward.split_of, config.evaluator_data)),
    }
    if config.train.load_in_4bit or config.reward.load_in_4bit:
        require_four_bits()
    if config.evaluator is not None:
        if is_function(config.evaluator) or is_there(config.evaluator):
            raise UsageError(
                f"--evaluator {config.evaluator}: is no reward model; a verifier measures as --eval.verify"
            )
        require_reward_model(find_model(config.evaluator), config.evaluator)
    models = {"model": config.model, "rm_model": config.reward.model, "evaluator": config.evaluator}
    asked = {"winrate": comparing(config, config.winrate)}
    asked["sample"] = Asked({"policy": engine_of(config.sample.policy, config.model)})
    begun = begins(Path(config.output_dir), "game", config)
    return {
        **verifiers_of(config),
        **config.identity,
        **models_asked(config, asked, begins=begun),
        **{name: [open_source(source).sha256() for source in some] for name, some in sources.items()},
        **{name: model and model_identity(model) for name, model in models.items()},
    }
