"""From a stage and its settings to a finished run folder."""

import gc
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pairwright.engines import EngineOptions, check_spec
from pairwright.engines.openai.batch.store import BatchStore
from pairwright.engines.pool import EnginePool
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import require_space, write_durably
from pairwright.folders.journal import JOURNAL, Journal
from pairwright.folders.lock import FolderLock
from pairwright.folders.manifest import MANIFEST, InputInfo, Manifest, load_manifest
from pairwright.folders.shards import (
    check_run_folder,
    columns_there,
    continue_run,
    finished_for_reading,
)
from pairwright.folders.versions import versions
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.rows import Input, input_sha256
from pairwright.inputs.sources import open_source
from pairwright.records import FAILED, content_hash
from pairwright.reports.card import write_card
from pairwright.stages.at_once import AtOnce, AtOnceRunner
from pairwright.stages.budget import Budget, BudgetConfig, BudgetSpent
from pairwright.stages.config import RunConfig, WorkersConfig
from pairwright.stages.on_ray import run_on_ray
from pairwright.stages.preview import say_what_was_read, show_dry_run, show_preview
from pairwright.stages.runner import Runner, columns_of_run
from pairwright.stages.stage import ReadsLogprobs, Stage
from pairwright.stages.workers import ALONE, WORKERS, Share, arrive, begin, gather, gather_strays
from pairwright.terminal.interrupt import Interrupted, stop_requested
from pairwright.terminal.progress import progress

_BYTES_AN_ITEM = 4096
_BYTES_A_RUN = 16 * 2**20
_PATIENCE = 600.0
"""Seconds that a worker waits for another one's moment with the folder."""


def run_stage(
    stage: Stage,
    config: EngineOptions,
    read: Callable[..., Input] = Input,
    models: Mapping[str, str] = MappingProxyType({}),
    *,
    run: RunConfig,
    workers: WorkersConfig | None = None,
    budget: BudgetConfig | None = None,
) -> Manifest | None:
    """Run a stage to a finished folder, resuming what is there; returns None after a preview or a dry run.

    `config` is what the command was given, `run` the rows and the folder, `workers` who does the rows
    and `budget` what they may cost: usually the same settings. `read` says what a row of work is: a row
    of the input, or all answers to a prompt (`Candidates`).
    `models` are those that the stage runs itself, without an engine: their revisions by role.
    Raises `UsageError` before anything is written, `PairwrightError` when work has to stop, and
    `Interrupted` after Ctrl-C; whatever was finished by then is kept.
    """
    folder = Path(run.out)
    check_run_folder(folder)
    for spec in stage.roles.values():
        check_spec(spec)
    limits = Budget(budget or BudgetConfig())
    share = workers.share if workers is not None else None
    if (share is not None or (workers is not None and workers.ray)) and run.fresh:
        raise UsageError(
            "--fresh starts the whole folder over; give it without --shard or --ray, or name a new --out"
        )
    if not (run.preview or run.dry_run or run.fresh):
        finished = _finished(stage, config, run, models, shared=share is not None)
        if finished is not None:
            return finished
    rows = read(
        run.source,
        run.wanted_columns,
        run.limit,
        stage.schema.names,
        skip=run.skip_bad_rows,
        keep=() if run.fresh else columns_there(folder) - set(stage.schema.names),
    )
    stage.check(rows)
    say_what_was_read(stage, rows, begun=(folder / MANIFEST).exists())
    if run.preview:
        show_preview(stage, rows)
        return None
    if run.dry_run:
        show_dry_run(stage, rows)
        return None
    if workers is not None and workers.ray:
        again = partial(run_stage, stage, config, read, models, run=run, budget=budget)
        return run_on_ray(partial(_as_worker, again), workers, run.out)
    with EnginePool(stage.roles, config) as engines:
        begun = (folder / MANIFEST).exists()
        if config.cancel and not begun:
            raise UsageError(f"--cancel: {folder} holds no run whose batch jobs could be cancelled")
        if begun and not run.fresh:
            engines.go_on(*_begun_with(load_manifest(folder)))
        if not begun or run.fresh or config.sends_batches:
            engines.open_all()
            if isinstance(stage, ReadsLogprobs):
                engines.require_logprobs(stage.reads_logprobs)
        planned = _plan(stage, config, run, rows.info, {**engines.identities, **models}, rows.reading)
        if not begun:
            require_space(folder, _BYTES_A_RUN + planned.items * _BYTES_AN_ITEM)
        if share is not None:
            return _work_with_others(stage, rows, engines, limits, folder, planned, share)
        with FolderLock(folder):
            gather_strays(folder)
            manifest = continue_run(folder, planned, fresh=run.fresh)
            _keep_templates(folder, stage)
            with Journal(folder / JOURNAL) as journal:
                manifest = _work(stage, rows, engines, limits, journal, folder, manifest, ALONE)
            write_card(folder, manifest)
            return manifest


def _begun_with(found: Manifest) -> tuple[dict[str, str], str]:
    """The models of a run that is there, by role, and all its settings as text."""
    return found.engines, json.dumps(found.config)


def _as_worker(work: Callable[..., Manifest | None], share: str) -> Manifest | None:
    """What an actor does."""
    return work(workers=WorkersConfig(shard=share))


def _finished(
    stage: Stage, config: EngineOptions, run: RunConfig, models: Mapping[str, str], *, shared: bool
) -> Manifest | None:
    """The manifest of a folder in which nothing is left to do, found out without reading any rows."""
    folder = Path(run.out)
    if not (folder / MANIFEST).exists() or (folder / WORKERS).exists():
        return None
    found = load_manifest(folder)
    content = input_sha256(open_source(run.source), run.limit)
    if not found.complete or found.counts.get(FAILED) or found.input.sha256 != content:
        return None
    with EnginePool(stage.roles, config) as engines:
        engines.go_on(*_begun_with(found))
        planned = _plan(stage, config, run, found.input, {**engines.identities, **models})
    if (planned.stage, planned.semantic, planned.gate) != (found.stage, found.semantic, found.gate):
        return None
    if there := finished_for_reading(folder, planned):
        return there
    # Of several workers the last one may still be writing what the others find finished.
    with FolderLock(folder, _PATIENCE if shared else 0.0):
        manifest = continue_run(folder, planned, fresh=False)
        if sum(manifest.counts.values()) < manifest.items:
            return None
        manifest = manifest.model_copy(update={"complete": True})
        BatchStore(folder).clear()
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
        engines.begin_batches(folder, journal)
        for completion in journal.completions() if budget.is_set else ():
            budget.add(completion)
        with stop_requested() as stopping, progress(stage.name, items, done) as meter, _few_collections():
            schema = columns_of_run(stage, rows, folder, share)
            runner: Runner | AtOnceRunner
            if isinstance(stage, AtOnce) and not stage.roles and isinstance(rows, Candidates):
                runner = AtOnceRunner(stage, rows, folder, manifest, share, schema)
            else:
                runner = Runner(stage, rows, engines, journal, folder, manifest, share, schema, budget)
            try:
                manifest = runner.run(stopping, meter)
            except PairwrightError:
                if not (runner.manifest.shards or len(journal) or BatchStore(folder).all()):
                    shutil.rmtree(folder)  # a folder in which nothing was ever done is in the way
                raise
    complete = sum(manifest.counts.values()) == items
    seconds = manifest.seconds + time.monotonic() - started
    manifest = manifest.with_dialects(engines.dialects)
    manifest = manifest.model_copy(update={"complete": complete, "seconds": round(seconds, 3)})
    if complete:
        BatchStore(folder).clear()
    manifest.save(folder)
    if not complete:
        stopped = (
            f"{folder}: stopped with {sum(manifest.counts.values()):,} of {items:,} rows written and every "
            "finished completion kept"
        )
        out = f"; {waits}, and they go on (--cancel cancels them)" if (waits := engines.waits) else ""
        if budget.spent is not None:
            raise BudgetSpent(f"{stopped}{out}: {budget.spent}")
        raise Interrupted(f"{stopped}{out}; run the same command again to go on")
    return manifest


@contextmanager
def _few_collections() -> Iterator[None]:
    """Garbage in cycles is looked for seldom: rows make none, and looking took a tenth of the time."""
    thresholds = gc.get_threshold()
    ours = gc.get_freeze_count() == 0  # what the process has put aside itself stays there
    if ours:
        gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        if ours:
            gc.unfreeze()


def _plan(
    stage: Stage,
    config: EngineOptions,
    run: RunConfig,
    rows: InputInfo,
    identities: Mapping[str, str],
    reading: Mapping[str, Any] = MappingProxyType({}),
) -> Manifest:
    """What this run would be if the folder were new."""
    templates = {f"{name} template": content_hash(text) for name, text in stage.templates.items()}
    models = {f"{role} model": identity for role, identity in identities.items()}
    return Manifest(
        stage=stage.name,
        versions=versions(),
        config=run.model_dump(mode="json") | config.model_dump(mode="json"),
        semantic=run.of_kind("semantic")
        | config.of_kind("semantic")
        | templates
        | models
        | {"input": rows.sha256, **reading},
        gate=config.of_kind("gate"),
        engines=dict(identities),
        input=rows,
        items=rows.rows * stage.samples,
        shard_size=run.shard_size,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _keep_templates(folder: Path, stage: Stage) -> None:
    """Leave the exact text that models are given beside the rows that come of it."""
    for name, text in stage.templates.items():
        path = folder / "templates" / f"{name}.j2"
        if not path.exists() or path.read_text() != text:
            write_durably(path, text.encode())
