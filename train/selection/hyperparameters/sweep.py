"""`pairwright sweep`: the trainings of a sweep, one after the other, and their results.

All of them share a store of reference log-probabilities, so the reference is asked once, and the pairs,
which are read once.
"""

import os
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pairwright.engines.pool import EnginePool
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.claim import refuse_foreign, refuse_other
from pairwright.folders.lock import FolderLock
from pairwright.inputs.sources import open_source
from pairwright.terminal.interrupt import Interrupted
from train.devices.processes import say
from train.output.record import TrainResult
from train.preference.config import TrainConfig
from train.selection.hyperparameters.config import POINTS, SweepConfig, name_of
from train.selection.hyperparameters.record import SWEEP, Point, SweepRecord, best_of, record_of
from train.selection.hyperparameters.search import searched
from train.selection.hyperparameters.sharing import SharedPairs
from train.selection.hyperparameters.table import show, write_table
from train.trainer.task import Task
from train.training import train

if TYPE_CHECKING:
    from judge.evaluation.config import EvaluateConfig

Points = Generator[Mapping[str, str], float | None, None]
"""Points, each of which is answered with what it is judged by; None where that is not known."""
Training: TypeAlias = "Callable[[TrainConfig, Task | None], TrainResult]"
"""What trains one point, as the task that it is given."""
_ANOTHER = "choose another output_dir"


def sweep(config: SweepConfig, train: Training = train) -> SweepRecord | None:
    """Train every point, or `trials` of them, and say which is best; None after a preview or dry run.

    What is finished is not trained again. A point whose training fails is named, and the next is begun.
    Raises `UsageError` for settings that cannot be, of any point, before anything is trained.
    """
    folder = Path(config.output_dir)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("a sweep runs in one process: start it without accelerate launch")
    if config.trials is None:
        grid = [(values, config.point(values)) for values in config.grid()]
        if config.preview or config.dry_run:
            say(f"{len(grid)} points: {', '.join(name_of(values) for values, _ in grid)}")
            train(grid[0][1], None)
            return None
    elif config.preview or config.dry_run:
        raise UsageError(
            "--trials chooses points by the results of others: leave out --preview and --dry_run"
        )
    _require_verifier(config)
    refuse_foreign(folder, SWEEP, own=(POINTS,), setting="output_dir")
    with FolderLock(folder):
        record = _begun(config, folder)
        points: Points = searched(config) if config.trials is not None else _in_order(config)
        shared = SharedPairs()
        tell: float | None = None
        while True:
            try:
                values = points.send(tell)
            except StopIteration:
                break
            point = _trained(values, config.point(values), train, shared)
            tell = _value(config, point, folder)
            record = record.with_point(point)
            record.save(folder)
        if config.verify is not None and config.trials is None:
            record = _measured(config, record, folder)
        record = _concluded(config, record)
        record.save(folder)
        write_table(folder, record)
    show(record)
    return record


def _in_order(config: SweepConfig) -> Points:
    """The points of the grid, whatever came of those before."""
    yield from (values for values in config.grid())  # a list itself could not be told anything


def _begun(config: SweepConfig, folder: Path) -> SweepRecord:
    """The record of this sweep, as it was left or from the start."""
    planned = SweepRecord(identity=config.of_kind("semantic"), by=config.by)
    found = None if config.fresh else record_of(folder)
    if found is not None:
        refuse_other(folder, found.identity, planned.identity, _ANOTHER)
    planned.save(folder)
    return planned


def _trained(values: Mapping[str, str], config: TrainConfig, train: Training, shared: SharedPairs) -> Point:
    """One training. What a run finds wrong with itself ends its point, not the sweep."""
    name, started = name_of(values), time.monotonic()
    say(f"── {name}")
    try:
        result = train(config, shared.task(config))
    except (Interrupted, UsageError):
        raise
    except PairwrightError as error:
        say(f"{name}: {error}")
        return Point(name=name, values=dict(values), folder=config.output_dir, failure=str(error))
    seconds = result.seconds or time.monotonic() - started
    return Point(
        name=name,
        values=dict(values),
        folder=config.output_dir,
        metrics=result.metrics,
        seconds=round(seconds, 3),
    )


def _value(config: SweepConfig, point: Point, folder: Path) -> float | None:
    """What a point is judged by, as soon as that is known; None where its training failed."""
    if point.failure is not None:
        return None
    if config.verify is not None:
        if config.trials is None:
            return None  # all are measured together in the end
        point.metrics["pass_rate"] = _pass_rates(config, [point], folder / "evals" / point.name)[0]
    if config.by not in point.metrics:
        raise UsageError(f"--by {config.by}: no such metric; there are {', '.join(sorted(point.metrics))}")
    return point.metrics[config.by]


def _measured(config: SweepConfig, record: SweepRecord, folder: Path) -> SweepRecord:
    """The points with the pass rate of each, measured on the same prompts."""
    sound = [point for point in record.points if point.failure is None]
    if sound:
        rates = _pass_rates(config, sound, folder / "eval")
        for point, rate in zip(sound, rates, strict=True):
            point.metrics["pass_rate"] = rate
    return record


def _pass_rates(config: SweepConfig, points: list[Point], out: Path) -> list[float]:
    from judge.evaluation.command import evaluate
    from judge.evaluation.measures import load_evaluation

    evaluate(_evaluating(config, ",".join(f"hf:{point.folder}" for point in points), out))
    return [model.pass_rate.value for model in load_evaluation(out).models]


def _require_verifier(config: SweepConfig) -> None:
    """Raise `UsageError` for a verifier or prompts that cannot be used."""
    from judge.evaluation.stage import EvaluateStage

    if config.verify is None or config.prompts is None:
        return
    measuring = _evaluating(config, "", Path(config.output_dir))
    with EnginePool(EvaluateStage(measuring, ()).roles, measuring) as engines:
        _ = engines.identities
    open_source(config.prompts)


def _evaluating(config: SweepConfig, models: str, out: Path) -> "EvaluateConfig":
    from judge.evaluation.config import EvaluateConfig

    return EvaluateConfig(
        models=models,
        prompts=config.prompts,
        verify=config.verify,
        out=str(out),
        max_tokens=config.max_tokens,
        device="cpu" if config.use_cpu else "auto",
        trust_remote_code=config.trust_remote_code,
    )


def _concluded(config: SweepConfig, record: SweepRecord) -> SweepRecord:
    best = best_of(record)
    if best is None:
        failures = "; ".join(f"{p.name}: {p.failure}" for p in record.points[:3])
        raise PairwrightError(f"no point of the sweep was trained to its end ({failures})")
    return record.model_copy(update={"best": best.name, "complete": True})
