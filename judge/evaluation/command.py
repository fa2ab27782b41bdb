"""`pairwright eval`: how often models are right, and which is better."""

import logging
from functools import partial
from pathlib import Path

from rich.console import Console

from judge.evaluation.config import SUITES, EvaluateConfig
from judge.evaluation.measures import EVALUATION, measured
from judge.evaluation.stage import EvaluateStage, models_of
from judge.evaluation.table import evaluation_tables
from judge.evaluation.trained import prompt_keys, seen_in_training, warn_of_trained
from pairwright.errors import UsageError
from pairwright.folders.durable import write_durably
from pairwright.folders.manifest import Manifest
from pairwright.folders.shards import read_tables
from pairwright.inputs.rows import Input
from pairwright.stages.config import RunConfig
from pairwright.stages.run import run_stage

log = logging.getLogger(__name__)


def evaluate(config: EvaluateConfig) -> Manifest | None:
    """Measure every model on every prompt, write `evaluation.json` into the run folder, and print it.

    Returns the finished run's manifest; None after `preview` or `dry_run`. Raises `PairwrightError`
    when no prompt came to a score; all rows are written then.
    """
    config = _with_suite(config)
    if config.k is not None and config.k > config.n:
        raise UsageError(f"--k {config.k}: pass@k wants at least k answers; give --n {config.k} or more")
    models = models_of(config.models)
    assert config.prompts is not None
    shared = {n: getattr(config, n) for n in EvaluateConfig.model_fields if n in RunConfig.model_fields}
    run = RunConfig(input=config.prompts, **shared)
    stage = EvaluateStage(config, models)
    manifest = run_stage(stage, config, partial(Input, answers=False), run=run, budget=config)
    if manifest is None:
        return None
    rows = [row for table in read_tables(Path(config.out)) for row in table.to_pylist()]
    prompts = prompt_keys(rows)
    seen = {model: seen_in_training(model, prompts) for model in models}
    trained_on = {model: what.prompts for model, what in seen.items()}
    found = measured(config, models, rows, manifest.counts, trained_on, config.out)
    write_durably(Path(config.out) / EVALUATION, (found.model_dump_json(indent=1) + "\n").encode())
    for model, what in seen.items():
        warn_of_trained(model, what, len(prompts))
    if found.repeats:
        said = "%d of the %d prompts are another's text again; their answers are no further evidence"
        log.warning(f"{said}, so the intervals are too narrow", found.repeats, found.prompts)
    for table in evaluation_tables(found):
        Console().print(table)
    return manifest


def _with_suite(config: EvaluateConfig) -> EvaluateConfig:
    """The settings with what a suite says where nothing else is said. Raises `UsageError`."""
    if config.suite is not None:
        suite = SUITES[config.suite]
        ours = {
            "prompts": suite.source,
            "verify": suite.verify,
            "prompt_column": suite.prompt_column,
            "by": suite.by,
        }
        return config.model_copy(update={n: v for n, v in ours.items() if getattr(config, n) is None})
    if config.prompts is None or config.verify is None:
        missing = [f"--{name}" for name in ("prompts", "verify") if getattr(config, name) is None]
        raise UsageError(f"{' and '.join(missing)} must be given, or a --suite that has both")
    return config
