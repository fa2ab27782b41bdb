"""From a stage and its settings to a finished run folder."""

import gc
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pairwright.engines import EngineOptions, check_spec
from pairwright.engines.pool import EnginePool
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import require_space, write_durably
from pairwright.folders.journal import JOURNAL, Journal
from pairwright.folders.lock import FolderLock
from pairwright.folders.manifest import MANIFEST, InputInfo, Manifest, load_manifest
from pairwright.folders.shards import continue_run, refuse_foreign
from pairwright.inputs.rows import Input, input_sha256
from pairwright.inputs.sources import open_source
from pairwright.records import FAILED, content_hash
from pairwright.reports.card import write_card
from pairwright.stages.budget import Budget, BudgetSpent
from pairwright.stages.config import StageConfig
from pairwright.stages.on_ray import run_on_ray
from pairwright.stages.preview import show_dry_run, show_preview
from pairwright.stages.runner import Runner
from pairwright.stages.stage import Stage
from pairwright.stages.workers import ALONE, WORKERS, Share, arrive, begin, gather, gather_strays
from pairwright.terminal.interrupt import Interrupted, stop_requested
from pairwright.terminal.progress import progress
from pairwright.versions import versions

_BYTES_AN_ITEM = 4096
_BYTES_A_RUN = 16 * 2**20
_PATIENCE = 600.0
"""Seconds that a worker waits for another one's moment with the folder."""


def run_stage(
    stage: Stage,
    config: StageConfig,
    read: Callable[..., Input] = Input,
    models: Mapping[str, str] = MappingProxyType({}),
) -> Manifest | None:
    """Do all the work of a stage, resuming what is there. None after a preview or a dry run.

    `read` says what a row of work is: a row of the input, or all answers to a prompt (`Candidates`).
    `models` are those that the stage runs itself, without an engine: their revisions by role.
    Raises `UsageError` before anything is written, `PairwrightError` when work has to stop, and
    `Interrupted` after Ctrl-C; whatever was finished by then is kept.
    """
    folder = Path(config.out)
    refuse_foreign(folder)
    for spec in stage.roles.values():
        check_spec(spec)
    budget = Budget(config.budget)
    if (config.share is not None or config.actors) and config.fresh:
        raise UsageError(
            "--fresh starts the whole folder over; give it without --shard or --ray, or name a new --out"
        )
    options = EngineOptions(**{n: getattr(config, n) for n in EngineOptions.model_fields})
    if not (config.preview or config.dry_run or config.fresh):
        finished = _finished(stage, config, options, models, folder)
        if finished is not None:
            return finished
    rows = read(config.input, config.wanted_columns, config.limit, stage.schema.names)
    stage.check(rows)
    if config.preview:
        show_preview(stage, rows)
        return None
    if config.dry_run:
        show_dry_run(stage, rows)
        return None
    if config.actors:
        return run_on_ray(partial(_run_share, stage, config, read, models), config)
    with EnginePool(stage.roles, options) as engines:
        planned = _plan(stage, config, rows.info, {**engines.identities, **models})
        if not (folder / MANIFEST).exists():
            require_space(folder, _BYTES_A_RUN + planned.items * _BYTES_AN_ITEM)
            engines.open_all()
        if config.share is not None:
            return _work_with_others(stage, rows, engines, budget, folder, planned, config.share)
        with FolderLock(folder):
            gather_strays(folder)
            manifest = continue_run(folder, planned, fresh=config.fresh)
            _keep_templates(folder, stage)
            with Journal(folder / JOURNAL) as journal:
                manifest = _work(stage, rows, engines, budget, journal, folder, manifest, ALONE)
            write_card(folder, manifest)
            return manifest


def _run_share(
    stage: Stage, config: StageConfig, read: Callable[..., Input], models: Mapping[str, str], share: str
) -> Manifest | None:
    """What an actor does."""
    alone = {"ray": False, "shard": share}
    return run_stage(stage, config.model_copy(update=alone), read, models)


def _finished(
    stage: Stage, config: StageConfig, options: EngineOptions, models: Mapping[str, str], folder: Path
) -> Manifest | None:
    """The manifest of a folder in which nothing is left to do, found out without reading any rows."""
    if not (folder / MANIFEST).exists() or (folder / WORKERS).exists():
        return None
    found = load_manifest(folder)
    content = input_sha256(open_source(config.input), config.limit)
    if not found.complete or found.counts.get(FAILED) or found.input.sha256 != content:
        return None
    with EnginePool(stage.roles, options) as engines:
        planned = _plan(stage, config, found.input, {**engines.identities, **models})
    if (planned.stage, planned.semantic, planned.gate) != (found.stage, found.semantic, found.gate):
        return None
    # Of several workers the last one may still be writing what the others find finished.
    with FolderLock(folder, 0.0 if config.share is None else _PATIENCE):
        manifest = continue_run(folder, planned, fresh=False)
        if sum(manifest.counts.values()) < manifest.items:
            return None
        manifest = manifest.model_copy(update={"complete": True})
        manifest.save(folder)
        _keep_templates(folder, stage)
        write_card(folder, manifest)
    return manifest


def _work_with_others(
    stage: Stage,
    rows: Input,
    engines: EnginePool,
    budget: Budget,
    folder: Path,
    planned: Manifest,
    share: Share,
) -> Manifest:
    """Do one worker's share; the last worker brings all shares together and writes the totals."""
    own = share.folder(folder)
    with ExitStack() as held:
        with FolderLock(folder, _PATIENCE):
            share, manifest = arrive(folder, planned, share)
            _keep_templates(folder, stage)
            if not manifest.complete:
                held.enter_context(FolderLock(own))
        if not manifest.complete:
            manifest = begin(own, manifest)
            journal = held.enter_context(Journal(own / JOURNAL, behind=folder / JOURNAL))
            manifest = _work(stage, rows, engines, budget, journal, own, manifest, share)
    with FolderLock(folder, _PATIENCE):
        whole = gather(folder, share.of) or load_manifest(folder)
        if not whole.complete:
            return manifest
        write_card(folder, whole)
        return whole


def _work(
    stage: Stage,
    rows: Input,
    engines: EnginePool,
    budget: Budget,
    journal: Journal,
    folder: Path,
    manifest: Manifest,
    share: Share,
) -> Manifest:
    """Run what is open in `manifest`, as far as it belongs to `share`, and close the folder properly."""
    started = time.monotonic()
    open_again = {i: s for i, s in manifest.shards.items() if not s.counts.get(FAILED)}
    manifest = manifest.model_copy(update={"shards": open_again})
    done, items = sum(manifest.counts.values()), share.items(manifest)
    if done < items:
        for completion in journal.completions() if budget.is_set else ():
            budget.add(completion)
        with stop_requested() as stopping, progress(stage.name, items, done) as meter, _few_collections():
            runner = Runner(stage, rows, engines, journal, folder, manifest, share, budget)
            try:
                manifest = runner.run(stopping, meter)
            except PairwrightError:
                if not runner.manifest.shards and not len(journal):
                    shutil.rmtree(folder)  # a folder in which nothing was ever done is in the way
                raise
    complete = sum(manifest.counts.values()) == items
    seconds = manifest.seconds + time.monotonic() - started
    manifest = manifest.model_copy(update={"complete": complete, "seconds": round(seconds, 3)})
    manifest.save(folder)
    if not complete:
        stopped = (
            f"{folder}: stopped with {sum(manifest.counts.values()):,} of {items:,} rows written and every "
            "finished completion kept"
        )
        if budget.spent is not None:
            raise BudgetSpent(f"{stopped}: {budget.spent}")
        raise Interrupted(f"{stopped}; run the same command again to go on")
    return manifest


@contextmanager
def _few_collections() -> Iterator[None]:
    """Garbage in cycles is looked for seldom: rows make none, and looking took a tenth of the time."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _plan(stage: Stage, config: StageConfig, rows: InputInfo, identities: Mapping[str, str]) -> Manifest:
    """What this run would be if the folder were new."""
    templates = {f"{name} template": content_hash(text) for name, text in stage.templates.items()}
    models = {f"{role} model": identity for role, identity in identities.items()}
    return Manifest(
        stage=stage.name,
        versions=versions(),
        config=config.model_dump(mode="json"),
        semantic=config.of_kind("semantic") | templates | models | {"input": rows.sha256},
        gate=config.of_kind("gate"),
        engines=dict(identities),
        input=rows,
        items=rows.rows * stage.samples,
        shard_size=config.shard_size,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _keep_templates(folder: Path, stage: Stage) -> None:
    """Leave the exact text that models are given beside the rows that come of it."""
    for name, text in stage.templates.items():
        path = folder / "templates" / f"{name}.j2"
        if not path.exists() or path.read_text() != text:
            write_durably(path, text.encode())
