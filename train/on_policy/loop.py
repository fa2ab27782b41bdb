"""`pairwright loop`: rounds of sampling, judging or revising, and training.

Each round samples from the last round's model, makes pairs of its answers, and trains on them, so the
pairs are always on-policy. Whether that made it better is asked on prompts that no round trains on,
of a judge who compares with the start. Every step is a command of its own and resumes by itself, so
a loop goes on wherever it was stopped; an engine is closed before training begins.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from judge.command import judge
from judge.comparison.command import load_winrate, winrate
from judge.comparison.config import WinrateConfig
from judge.config import JudgeConfig
from judge.stage import JudgeStage
from pairwright.engines import EngineOptions
from pairwright.engines.pool import EnginePool
from pairwright.errors import PairwrightError
from pairwright.folders.lock import FolderLock
from pairwright.folders.manifest import Manifest, load_manifest
from pairwright.records import KEPT
from pairwright.stages.sample import SampleConfig, sample
from revise import ReviseConfig, revise
from revise.stage import ReviseStage
from train.devices.memory import release_memory
from train.devices.processes import say
from train.models.four_bits import require_four_bits
from train.on_policy.answers import split_prompts, write_answers
from train.on_policy.config import LoopConfig
from train.on_policy.stop import reason_to_stop
from train.on_policy.table import as_rich, write_table
from train.rounds.folder import enter, finished_rounds, round_folder, write_measures
from train.rounds.prompts import write_prompts
from train.training import train

_DECIDED = (KEPT, "tie", "inconsistent", "disagreement")
"""How prompts end that a judge gave verdicts on."""
_LOGGED = ("logratios/", "rewards/")
ANSWERS = "answers.jsonl"
"""The answers to held-out prompts as they are compared."""


def loop(config: LoopConfig) -> list[dict[str, Any]]:
    """Go through all rounds, or those that are still to be done; returns the table, the start first.

    Raises `UsageError` for what cannot be used as given, and `PairwrightError` for what went wrong;
    the same command then goes on where it stopped.
    """
    folder = Path(config.output_dir)
    training, held_out = split_prompts(config)
    rounds = _Loop(config, folder)
    identity = {
        **config.of_kind("semantic"),
        **rounds.models(),
        "prompts": [row.prompt_id for row in training],
        "eval_prompts": [row.prompt_id for row in held_out],
    }
    with FolderLock(folder):
        enter(folder, identity, "loop")
        write_prompts(folder / "prompts.jsonl", training)
        write_prompts(folder / "eval_prompts.jsonl", held_out)
        return rounds.go()


class _Loop:
    """The steps, each a stage or a training of its own that does nothing when it is done."""

    def __init__(self, config: LoopConfig, folder: Path) -> None:
        self._config = config
        self._folder = folder
        options = {name: getattr(config, name) for name in EngineOptions.model_fields}
        if config.use_cpu and config.device == "auto":
            options["device"] = "cpu"
        self._options: dict[str, Any] = options

    def models(self) -> dict[str, str]:
        """The models that answer, judge and revise, by role; identities of what lies there now.

        Raises `UsageError` for what cannot be asked so: now, and not after hours of sampling.
        """
        if self._config.load_in_4bit:
            require_four_bits()
        here = round_folder(self._folder, 1)
        roles = {"policy": f"{self._config.policy}:{self._config.model}"}
        if self._config.judges:
            roles |= JudgeStage(self._judging(here)).roles
        if self._config.revises:
            roles |= ReviseStage(self._revising(here)).roles
        if self._config.compares is not None:
            others = JudgeStage(self._judging(here, self._config.compares)).roles
            roles |= {f"win {role}": spec for role, spec in others.items()}
        with EnginePool(roles, EngineOptions(**self._options)) as engines:
            return {f"{role} model": found for role, found in engines.identities.items()}

    def go(self) -> list[dict[str, Any]]:
        """The start, then round after round, until there are enough or a measure says stop."""
        rows = list(finished_rounds(self._folder))
        before = len(rows)
        while (reason := reason_to_stop(rows, self._config)) is None and len(rows) <= self._config.rounds:
            number = len(rows)
            if number:
                say(f"── round {number} of {self._config.rounds}")
            measures = self._round(number) if number else {}
            measures |= self._measure(number)
            write_measures(round_folder(self._folder, number), {"round": number, **measures})
            rows = list(finished_rounds(self._folder))
            write_table(self._folder, rows)
            Console(stderr=True).print(as_rich(rows))
        if reason is not None:
            say(f"{self._folder}: stopped after round {len(rows) - 1}: {reason}")
        elif before == len(rows):
            say(f"{self._folder}: all {len(rows) - 1} rounds are done; more --rounds go on from here")
        return rows

    def _round(self, number: int) -> dict[str, Any]:
        """Answers, pairs, training; returns what is measured of pairs and training."""
        here = round_folder(self._folder, number)
        prompts, policy = self._folder / "prompts.jsonl", self._policy(number - 1)
        self._sample(policy, prompts, here / "answers", n=self._config.n)
        made: dict[str, Manifest] = {}
        if self._config.judges:
            judge(self._judging(here))
            made["judged"] = load_manifest(here / "judged")
        if self._config.revises:
            revise(self._revising(here))
            made["revised"] = load_manifest(here / "revised")
        data = tuple(str(here / name) for name, run in made.items() if run.counts.get(KEPT))
        if not data:
            raise PairwrightError(
                f"round {number}: no pair was kept; the reasons are in {here}/{next(iter(made))}/dropped"
            )
        trained = train(self._config.training(policy, data, str(here / "model"), self._reference(number)))
        release_memory()
        return _of_pairs(made) | _of_training(trained.metrics)

    def _measure(self, number: int) -> dict[str, Any]:
        """The model's answers to held-out prompts, and how often they beat the start's."""
        here, prompts = round_folder(self._folder, number), self._folder / "eval_prompts.jsonl"
        self._sample(
            self._policy(number), prompts, here / "samples", n=1, temperature=self._config.eval_temperature
        )
        measures = write_answers(here / "samples", here / ANSWERS)
        if self._config.compares is None:
            return measures
        if not number:
            return measures | {"win_rate": 0.5, "win_rate_low": 0.5, "win_rate_high": 0.5}
        return measures | self._versus_start(number)

    def _versus_start(self, number: int) -> dict[str, Any]:
        """How often the round's answers are better than the start's, and how often nobody can tell."""
        here = round_folder(self._folder, number)
        winrate(
            WinrateConfig(
                a=str(here / ANSWERS),
                b=str(round_folder(self._folder, 0) / ANSWERS),
                prompts=str(self._folder / "eval_prompts.jsonl"),
                out=str(here / "winrate"),
                **self._jury(self._config.compares),
            )
        )
        found = load_winrate(here / "winrate")
        measures = {
            "win_rate": found.win_rate.value,
            "win_rate_low": found.win_rate.low,
            "win_rate_high": found.win_rate.high,
            "win_rate_length_controlled": found.length_controlled.value,
            "compared": found.decided,
        }
        if self._config.pairs == "revise":  # no pair is judged; this is where the judge can be seen
            measures["contradictions"] = found.inconsistent / found.decided
        return measures

    def _sample(
        self, policy: str, prompts: Path, out: Path, *, n: int, temperature: float | None = None
    ) -> None:
        config = self._config
        spec = f"{config.policy}:{policy}"
        sample(
            SampleConfig(
                input=str(prompts),
                out=str(out),
                policy=spec,
                n=n,
                max_tokens=config.max_tokens,
                temperature=config.temperature if temperature is None else temperature,
                top_p=config.top_p if temperature is None else 1.0,
                **self._options_of(spec),
            )
        )

    def _judging(self, here: Path, judges: str | None = None) -> JudgeConfig:
        config = self._config
        return JudgeConfig(
            input=str(here / "answers"),
            out=str(here / "judged"),
            pairs=config.judge_pairs,
            max_failed=config.max_failed,
            **self._jury(judges or config.judge),
        )

    def _revising(self, here: Path) -> ReviseConfig:
        config = self._config
        names = ("direction", "mode", "reply", "min_kept_share", "max_edit_distance")
        given: dict[str, Any] = {name: getattr(config, name) for name in names}
        return ReviseConfig(
            input=str(here / "answers"),
            out=str(here / "revised"),
            reviser=config.reviser or "",
            template=config.revise_template,
            max_tokens=config.revise_max_tokens,
            **given,
            **self._options_of(config.reviser or ""),
        )

    def _jury(self, judges: str | None) -> dict[str, Any]:
        names = ("agree", "min_margin", "aspects", "judge_template")
        given = {name: getattr(self._config, name) for name in names}
        specs = (judges or "").split(",")
        if not all(spec.strip().startswith("reward:") for spec in specs):
            given["protocol"] = self._config.protocol
        return {"judge": judges, **given, **self._options_of(*specs)}

    def _options_of(self, *specs: str) -> dict[str, Any]:
        """How these engines work; settings of vLLM are for those that are vLLM."""
        vllm = any(spec.strip().startswith("vllm:") for spec in specs)
        return self._options | ({} if vllm else {"engine": {}})

    def _policy(self, number: int) -> str:
        """The model after a round."""
        return str(round_folder(self._folder, number) / "model") if number else self._config.model

    def _reference(self, number: int) -> str | None:
        """The start of the loop, where the round's own start is not the reference."""
        return self._config.model if self._config.reference == "initial" and number > 1 else None


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
    return found


def _of_training(metrics: Mapping[str, float]) -> dict[str, float]:
    """The last log-ratios and rewards: of held-out pairs where there are any."""
    held_out = {name.removeprefix("eval_"): v for name, v in metrics.items() if name.startswith("eval_")}
    return {name: v for name, v in (held_out or metrics).items() if name.startswith(_LOGGED)}
