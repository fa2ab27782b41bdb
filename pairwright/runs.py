"""From a stage and its settings to a finished run folder."""

import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from pairwright.card import write_card
from pairwright.durable import require_space, write_durably
from pairwright.engines import EngineOptions, check_spec
from pairwright.engines.pool import EnginePool
from pairwright.errors import PairwrightError
from pairwright.inputs import Input
from pairwright.interrupt import Interrupted, stop_requested
from pairwright.journal import Journal
from pairwright.lock import FolderLock
from pairwright.manifest import MANIFEST, Manifest
from pairwright.preview import show_dry_run, show_preview
from pairwright.progress import progress
from pairwright.records import FAILED, content_hash
from pairwright.runner import Runner
from pairwright.stage import Stage, StageConfig
from pairwright.store import continue_run, refuse_foreign
from pairwright.versions import versions

_BYTES_AN_ITEM = 4096
_BYTES_A_RUN = 16 * 2**20


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
    rows = read(config.input, config.wanted_columns, config.limit, stage.schema.names)
    stage.check(rows)
    if config.preview:
        show_preview(stage, rows)
        return None
    if config.dry_run:
        show_dry_run(stage, rows)
        return None
    options = EngineOptions(**{n: getattr(config, n) for n in EngineOptions.model_fields})
    with EnginePool(stage.roles, options) as engines:
        planned = _plan(stage, config, rows, {**engines.identities, **models})
        if not (folder / MANIFEST).exists():
            require_space(folder, _BYTES_A_RUN + planned.items * _BYTES_AN_ITEM)
            engines.open_all()
        with FolderLock(folder):
            manifest = continue_run(folder, planned, fresh=config.fresh)
            _keep_templates(folder, stage)
            return _work(stage, rows, engines, folder, manifest)


def _work(stage: Stage, rows: Input, engines: EnginePool, folder: Path, manifest: Manifest) -> Manifest:
    """Run what is open in `manifest` and close the folder properly."""
    started = time.monotonic()
    open_again = {i: s for i, s in manifest.shards.items() if not s.counts.get(FAILED)}
    manifest = manifest.model_copy(update={"shards": open_again})
    done = sum(manifest.counts.values())
    if done < manifest.items:
        with (
            Journal(folder / "journal.sqlite") as journal,
            stop_requested() as stopping,
            progress(stage.name, manifest.items, done) as meter,
        ):
            runner = Runner(stage, rows, engines, journal, folder, manifest)
            try:
                manifest = runner.run(stopping, meter)
            except PairwrightError:
                if not runner.manifest.shards and not len(journal):
                    shutil.rmtree(folder)  # a folder in which nothing was ever done is in the way
                raise
    complete = sum(manifest.counts.values()) == manifest.items
    seconds = manifest.seconds + time.monotonic() - started
    manifest = manifest.model_copy(update={"complete": complete, "seconds": round(seconds, 3)})
    manifest.save(folder)
    if not complete:
        raise Interrupted(
            f"{folder}: stopped with {sum(manifest.counts.values()):,} of {manifest.items:,} rows "
            "written and every finished completion kept; run the same command again to go on"
        )
    write_card(folder, manifest)
    return manifest


def _plan(stage: Stage, config: StageConfig, rows: Input, identities: Mapping[str, str]) -> Manifest:
    """What this run would be if the folder were new."""
    templates = {f"{name} template": content_hash(text) for name, text in stage.templates.items()}
    models = {f"{role} model": identity for role, identity in identities.items()}
    return Manifest(
        stage=stage.name,
        versions=versions(),
        config=config.model_dump(mode="json"),
        semantic=config.of_kind("semantic") | templates | models | {"input": rows.info.sha256},
        gate=config.of_kind("gate"),
        engines=dict(identities),
        input=rows.info,
        items=rows.info.rows * stage.samples,
        shard_size=config.shard_size,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _keep_templates(folder: Path, stage: Stage) -> None:
    """Leave the exact text that models are given beside the rows that come of it."""
    for name, text in stage.templates.items():
        path = folder / "templates" / f"{name}.j2"
        if not path.exists() or path.read_text() != text:
            write_durably(path, text.encode())
