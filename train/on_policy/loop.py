"""`pairwright loop`: rounds of sampling, judging or revising, and training.

Each round samples from the last round's model, makes pairs of its answers, and trains on them, so the
pairs are always on-policy. Whether that made it better is asked on prompts that no round trains on,
of a judge who compares with the start. Every step is a command of its own and resumes by itself, so
a loop goes on wherever it was stopped; an engine is closed before training begins.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console

from judge.command import require_calibrated_judges
from judge.comparison.command import load_winrate
from judge.comparison.config import WinrateConfig
from judge.config import JudgeConfig
from judge.evaluation.config import EvaluateConfig
from judge.stage import JudgeStage
from pairwright.errors import PairwrightError
from pairwright.folders.lock import FolderLock
from pairwright.folders.manifest import Manifest, load_manifest
from pairwright.inputs.row import Row
from pairwright.records import KEPT
from pairwright.stages.preview import telling_once
from pairwright.stages.sample import SampleConfig
from revise.config import ReviseConfig
from revise.stage import ReviseStage
from train.devices.memory import release_memory
from train.devices.processes import say
from train.models.four_bits import require_four_bits
from train.on_policy.ahead import Ahead, require_another_device
from train.on_policy.answers import split_prompts, write_answers
from train.on_policy.config import LoopConfig, record_today
from train.on_policy.preview import rehearse
from train.on_policy.slices import prompts_of_round, replay
from train.on_policy.steps import ANSWERS, COMMANDS, WINRATE, Commands, Steps
from train.on_policy.stop import reason_to_stop
from train.on_policy.table import as_rich, write_table
from train.on_policy.tasks import require_tasks
from train.output.carried import CARRIED
from train.rounds.answers import require_answers
from train.rounds.best import link_best
from train.rounds.budget import RoundsBudget
from train.rounds.engines import Asked, models_asked, require_carried, through_rounds
from train.rounds.evaluation import EVAL, comparing, pass_rates, verifiers_of, win_rate_from_best
from train.rounds.folder import begins, enter, finished_rounds, round_folder, write_measures
from train.rounds.prompts import write_prompts
from train.rounds.refusals import in_section, in_sections
from train.rounds.table import Measures

C = TypeVar("C", SampleConfig, JudgeConfig, ReviseConfig, WinrateConfig, EvaluateConfig)
_DECIDED = (KEPT, "tie", "inconsistent", "disagreement")
"""How prompts end that a judge gave verdicts on."""
_LOGGED = ("logratios/", "rewards/")


_WHY = {
    "rounds": "with --carry_optimizer the learning rate takes one course over all rounds, which was laid "
    "out for so many; one that is constant, without warm-up, leaves their number free",
}


def loop(config: LoopConfig, commands: Commands = COMMANDS) -> list[dict[str, Any]]:
    """Run all rounds, or the remaining ones; returns the table, the start first.

    After a preview or a dry run the table is empty. Raises `UsageError` for what cannot be used as
    given, and `PairwrightError` for what went wrong; the same command then goes on where it stopped.
    """
    folder, commands = Path(config.output_dir), in_sections(commands, config)
    training, held_out = split_prompts(config)
    require_tasks(config, training)
    identity = {
        **verifiers_of(config),
        **config.identity,
        **config.course,
        **_models(config),
        "prompts": [row.prompt_id for row in training],
        "eval_prompts": [row.prompt_id for row in held_out],
    }
    if config.preview or config.dry_run:
        rehearse(config, commands, training, held_out)
        return []
    budget = RoundsBudget(config, folder)
    living = through_rounds(config.sample.policy, config.model, config.train, overlap=config.overlap)
    with FolderLock(folder), living, telling_once():
        enter(folder, identity, "loop", partial(record_today, config=config), _WHY)
        write_prompts(folder / "prompts.jsonl", training)
        write_prompts(folder / "eval_prompts.jsonl", held_out)
        with closing(Ahead()) as ahead:
            return _Loop(config, folder, commands, budget, training, ahead).go()


def _models(config: LoopConfig) -> dict[str, str]:
    """The models that answer, judge and revise, by role; identities of what lies there now.

    Raises `UsageError` for what cannot be asked so: now, and not after hours of sampling.
    """
    if config.train.load_in_4bit:
        require_four_bits()
    if config.overlap:
        require_another_device(config, cuda=torch.cuda.is_available())
    if config.carry_optimizer:
        require_carried(config.sample.policy, config.train)
    folder = Path(config.output_dir)
    steps = Steps(config, folder, 1)
    asked = {"sample": Asked({"policy": steps.answering.policy})}
    if config.judges:
        with in_section("judge", config):
            require_calibrated_judges(config.judge)
            judging = JudgeStage(steps.judging)
            asked["judge"] = Asked(_apart("judge", judging.roles), judging.reads_logprobs)
    if config.revises:
        with in_section("revise", config):
            asked["revise"] = Asked(_apart("revise", ReviseStage(steps.revising).roles))
    if config.compares:
        asked["winrate"] = comparing(config, config.winrate)
    return models_asked(config, asked, begins=begins(folder, "loop", config))


def _apart(section: str, roles: Mapping[str, str]) -> dict[str, str]:
    """The roles of a section's stage; verifiers are named with it, since another has its own."""
    return {f"{section} {r}" if r.startswith("verifier") else r: spec for r, spec in roles.items()}


class _Loop:
    """The steps of all rounds, each a command of its own that does nothing when it is done."""

    def __init__(
        self,
        config: LoopConfig,
        folder: Path,
        commands: Commands,
        budget: RoundsBudget,
        training: Sequence[Row],
        ahead: Ahead,
    ) -> None:
        self._config = config
        self._folder = folder
        self._commands = commands
        self._budget = budget
        self._training = training
        self._ahead = ahead

    def go(self) -> list[dict[str, Any]]:
        """Run the start and then rounds, until all are done or a measure says stop."""
        rows = list(finished_rounds(self._folder))
        before = len(rows)
        while (reason := reason_to_stop(rows, self._config)) is None and len(rows) <= self._config.rounds:
            number = len(rows)
            if number:
                say(f"── round {number} of {self._config.rounds}")
            measures = self._round(number) if number else {}
            measures |= self._measure(number, rows)
            write_measures(round_folder(self._folder, number), {"round": number, **measures})
            self._drop_optimizers(number)
            rows = list(finished_rounds(self._folder))
            write_table(self._folder, rows)
            link_best(self._folder, rows, "model")
            Console(stderr=True).print(as_rich(rows))
        if reason is not None:
            say(f"{self._folder}: stopped after round {len(rows) - 1}: {reason}")
        elif before == len(rows):
            say(f"{self._folder}: all {len(rows) - 1} rounds are done; more --rounds go on from here")
        return rows

    def _drop_optimizers(self, number: int) -> None:
        """Remove optimizers that no round will go on with, which are twice as large as the model."""
        for before in range(1, number):
            shutil.rmtree(round_folder(self._folder, before) / "model" / CARRIED, ignore_errors=True)

    def _round(self, number: int) -> dict[str, Any]:
        """Answers, pairs, training; returns what is measured of pairs and training."""
        config, steps = self._config, Steps(self._config, self._folder, number)
        self._answer(steps, number)
        require_answers(Path(steps.answering.out), number, compared=config.judges)
        made: dict[str, Manifest] = {}
        if config.judges:
            self._run(self._commands.judge, steps.judging)
            made["judged"] = load_manifest(steps.here / "judged")
        if config.revises:
            self._run(self._commands.revise, steps.revising)
            made["revised"] = load_manifest(steps.here / "revised")
        data = tuple(str(steps.here / name) for name, run in made.items() if run.counts.get(KEPT))
        if not data:
            raise PairwrightError(
                f"round {number}: no pair was kept; the reasons are in "
                f"{steps.here}/{next(iter(made))}/dropped"
            )
        measures = _of_pairs(made)
        if config.replay_share:
            share, own = config.replay_share, measures["pairs"]
            again, measures["replayed"] = replay(self._folder, number, list(made), own, share)
            data += () if again is None else (str(again),)
        with self._ahead_of(number):
            trained = self._commands.train(steps.training(data))
        release_memory()
        if config.overlap or config.sync_every > 1:
            measures["sampled_from"] = steps.answering_model
        return measures | _of_training(trained.metrics)

    def _answer(self, steps: Steps, number: int) -> None:
        """Sample the answers of a round."""
        steps.here.mkdir(exist_ok=True)
        size = self._config.prompts_per_round
        write_prompts(steps.prompts, prompts_of_round(self._training, number, size))
        self._run(self._commands.sample, steps.answering)

    @contextmanager
    def _ahead_of(self, number: int) -> Iterator[None]:
        """Within, the next round's answers are sampled, if that is asked for and there is one."""
        if not self._config.overlap or number >= self._config.rounds:
            yield
            return
        following = Steps(self._config, self._folder, number + 1)
        model = following.answering_model
        say(
            f"the answers of round {number + 1} are sampled meanwhile, from the model "
            f"{f'of round {model}' if model else 'at the start'}: one round stale"
        )
        with self._ahead.meanwhile(partial(self._answer, following, number + 1)):
            yield

    def _measure(self, number: int, before: Sequence[Measures]) -> dict[str, Any]:
        """The model on held-out prompts: how often it is right, and how often it beats the start."""
        steps = Steps(self._config, self._folder, number)
        passed: dict[str, Any] = {}
        if self._config.evaluates:
            self._run(self._commands.evaluate, steps.evaluating)
            passed = pass_rates(self._folder, number, before)
        if self._config.samples_held_out:
            self._run(self._commands.sample, steps.looking)
        answers = steps.here / ("samples" if self._config.samples_held_out else EVAL)
        measures = write_answers(answers, steps.here / ANSWERS) | passed
        if not self._config.compares:
            return measures
        if not number:
            return measures | {"win_rate": 0.5, "win_rate_low": 0.5, "win_rate_high": 0.5}
        return measures | self._versus_start(steps, before)

    def _versus_start(self, steps: Steps, before: Sequence[Measures]) -> dict[str, Any]:
        """How often the round's answers are better than the start's, and how often nobody can tell."""
        self._run(self._commands.winrate, steps.comparing)
        best = max(before, key=lambda row: float(row["win_rate"]))["round"]
        there = Steps(self._config, self._folder, best).here / WINRATE if best else None
        found = load_winrate(steps.here / WINRATE)
        measures = {
            "win_rate": found.win_rate.value,
            "win_rate_low": found.win_rate.low,
            "win_rate_high": found.win_rate.high,
            "win_rate_length_controlled": found.length_controlled.value,
            "compared": found.decided,
            **win_rate_from_best(steps.here / WINRATE, there),
        }
        if self._config.pairs == "revise":  # no pair is judged; this is where the judge can be seen
            measures |= {"contradictions": found.inconsistent / found.decided, "verdicts": found.decided}
        return measures

    def _run(self, command: Callable[[C], Any], config: C) -> None:
        """Run a command within what the others have left of the budget."""
        self._budget.within(command, config, Path(config.out))


def _of_pairs(made: Mapping[str, Manifest]) -> dict[str, Any]:
    """Share of kept pairs, and of verdicts that turn round with the order."""
    kept = sum(run.counts.get(KEPT, 0) for run in made.values())
    found: dict[str, Any] = {
        "pairs": sum(run.kept_rows for run in made.values()),
        "kept_share": kept / sum(run.items for run in made.values()),
    }
    if "judged" in made:
        counts = made["judged"].counts
        decided = sum(counts.get(status, 0) for status in _DECIDED)
        found["contradictions"] = counts.get("inconsistent", 0) / decided if decided else None
        found["verdicts"] = decided
    return found


def _of_training(metrics: Mapping[str, float]) -> dict[str, float]:
    """The last log-ratios and rewards: of held-out pairs where there are any."""
    held_out = {name.removeprefix("eval_"): v for name, v in metrics.items() if name.startswith("eval_")}
    return {name: v for name, v in (held_out or metrics).items() if name.startswith(_LOGGED)}
