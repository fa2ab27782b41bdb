"""Points chosen by the results of earlier ones: a study of `optuna`, replayed on resuming.

The sampler is seeded, so the same values told in the same order lead to the same next point: a sweep
that was killed finds its finished trainings again.
"""

import importlib.util
from collections.abc import Generator, Mapping

from pairwright.errors import UsageError
from train.selection.hyperparameters.config import Range, SweepConfig
from train.selection.hyperparameters.record import lower_is_better


def searched(config: SweepConfig) -> Generator[Mapping[str, str], float | None, None]:
    """Yield the points of `trials` trials; send each one's measure, or None if it failed."""
    if importlib.util.find_spec("optuna") is None:
        raise UsageError("--trials needs optuna: pip install 'pairwright[sweep]'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="minimize" if lower_is_better(config.by) else "maximize",
        sampler=optuna.samplers.TPESampler(seed=config.seed),
    )
    assert config.trials is not None
    for _ in range(config.trials):
        trial = study.ask()
        values = {name: _suggested(trial, name, axis) for name, axis in config.axes.items()}
        value = yield values
        failed = optuna.trial.TrialState.FAIL if value is None else None
        study.tell(trial, value, state=failed)


def _suggested(trial: "object", name: str, axis: object) -> str:
    """The value of a setting in a trial, as text; numbers with three digits that count."""
    if not isinstance(axis, Range):
        return str(trial.suggest_categorical(name, list(axis)))  # type: ignore[attr-defined,call-overload]
    if axis.whole:
        low, high = int(axis.low), int(axis.high)
        return str(trial.suggest_int(name, low, high, log=True))  # type: ignore[attr-defined]
    return f"{trial.suggest_float(name, axis.low, axis.high, log=True):.3g}"  # type: ignore[attr-defined]
