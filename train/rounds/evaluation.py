"""Evaluation of the model after a round, compared with the start and the best round so far."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judge.comparison.command import points_of
from judge.comparison.config import WinrateSettings
from judge.comparison.correction import errors_of
from judge.evaluation.config import EvaluateConfig
from judge.evaluation.measures import compare_runs, load_evaluation
from judge.evaluation.stage import EvaluateStage
from judge.jury.jury import Jury
from pairwright.engines import EngineOptions
from pairwright.engines.asked import AskedOptions
from pairwright.engines.pool import EnginePool
from pairwright.figures.intervals import Interval, mean_interval
from pairwright.stages.config import SampleSettings
from train.rounds.config import RoundsConfig, engine_of, on_one_device
from train.rounds.engines import Asked
from train.rounds.folder import round_folder
from train.rounds.refusals import in_section
from train.rounds.table import Measures

EVAL = "eval"
"""The run of a round in which its model is measured."""


def evaluating(
    config: RoundsConfig, sample: SampleSettings, model: str, prompts: Path, here: Path, *, use_cpu: bool
) -> EvaluateConfig:
    """Return the settings of `eval` for a model on held-out prompts, into the folder of its round.

    It answers in the engine that it is sampled with, unless `eval` says otherwise: `sample` are that
    one's settings.
    """
    said = config.eval.model_fields_set
    working = EngineOptions.model_fields.keys() - AskedOptions.model_fields.keys() - said
    as_sampled = {name: getattr(sample, name) for name in working}
    section = on_one_device(config.eval.model_copy(update=as_sampled), use_cpu=use_cpu)
    return section.into(
        EvaluateConfig, models=engine_of(sample.policy, model), prompts=str(prompts), out=str(here / EVAL)
    )


def verifiers_of(config: RoundsConfig) -> Mapping[str, str]:
    """Return the identity of every verifier, by role. Raises `UsageError` for a name that is not one's."""
    if not config.evaluates:
        return {}
    with in_section("eval", config):
        roles = EvaluateStage(config.eval, ()).roles
        with EnginePool(roles, config.eval) as engines:
            return {f"eval {role} model": identity for role, identity in engines.identities.items()}


def comparing(config: RoundsConfig, settings: WinrateSettings) -> Asked:
    """Return whom `winrate` asks. Raises `UsageError` for judges, or a calibration, that cannot be used."""
    if settings.judge is None:
        return Asked({})
    with in_section("winrate", config):
        if settings.calibration is not None:
            errors_of(settings, settings, settings.calibration)
        jury = Jury(settings)
    roles = {f"win {role}": spec for role, spec in jury.roles.items()}
    return Asked(roles, [f"win {role}" for role in jury.reads_logprobs])


def pass_rates(folder: Path, number: int, before: Sequence[Measures]) -> dict[str, Any]:
    """Return a round's pass rate, and its gain over each of the rounds `before`.

    Differences are taken prompt by prompt, each with its 95 % interval. Those to the start and to the best
    round so far have names of their own; `against` has all.
    """
    [found] = load_evaluation(round_folder(folder, number) / EVAL).models
    measures = _named("pass_rate", found.pass_rate)
    if not before:
        return measures
    best = max(before, key=lambda row: float(row["pass_rate"]))
    here = round_folder(folder, number) / EVAL
    compared = {
        row["round"]: compare_runs(round_folder(folder, row["round"]) / EVAL, here) for row in before
    }
    for name, other in (("gain", 0), ("from_best", best["round"])):
        measures |= _named(name, compared[other].difference)
    against = [
        {"round": other, **_named("difference", found.difference), "won": found.won, "lost": found.lost}
        for other, found in compared.items()
    ]
    return measures | {"against": against}


def win_rate_from_best(here: Path, best: Path | None) -> dict[str, Any]:
    """Return how far a round's win rate is above that of the best one, prompt by prompt, with its interval.

    Both are runs of `winrate` against the start; without one, the best is the start itself.
    """
    points = points_of(here)
    others = dict.fromkeys(points, 0.5) if best is None else points_of(best)
    apart = [found - others[prompt] for prompt, found in points.items() if prompt in others]
    value, low, high = mean_interval(apart)
    return _named("win_rate_from_best", Interval(value, max(low, -1.0), min(high, 1.0)))


def _named(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
