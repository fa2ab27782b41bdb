"""The output folder of a training run: its owner, its progress, and starting it over.

train.json       what this run is, and in the end what came of it
metrics.jsonl    one line per logging and evaluation
checkpoint-N/    the state after update N
optimizer/       with `save_optimizer`, the optimizer as it was after the last one
auto/            how `--loss auto` came to a loss
config.json, model.safetensors, tokenizer.json …   the trained model, once all is done
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pairwright.errors import PairwrightError
from pairwright.folders.claim import refuse_foreign, refuse_other, refuse_reading
from pairwright.folders.durable import TEMPORARY, sync_folder
from pairwright.models.names import base_of, is_adapter
from train.config import TrainingConfig
from train.output.carried import CARRIED
from train.output.checkpoint import (
    DAMAGED,
    PREFIX,
    DamagedCheckpoint,
    check_hashes,
    newest_sound,
    sealed,
)
from train.output.record import RECORD, RunRecord, record_of
from train.output.state import read_state

METRICS_FILE = "metrics.jsonl"
TRACKERS = "trackers"
AUTO = "auto"
_ANOTHER = "choose another output_dir, or throw it away with --fresh"


def check_folder(config: TrainingConfig) -> None:
    """Raise `UsageError` if the output folder holds files that are not of a training run. Writes nothing.

    Nor may it hold what is read where it is to be started over.
    """
    folder = Path(config.output_dir)
    refuse_foreign(folder, RECORD, own=(AUTO,), setting="output_dir")
    if config.fresh and not config.dry_run:
        settings = config.model_dump(mode="json")
        if is_adapter(config.model):
            settings["model"] = [config.model, base_of(config.model)]
        refuse_reading(folder, settings, writes=("output_dir", "reference_store"))


def enter(folder: Path, planned: RunRecord, *, fresh: bool) -> RunRecord:
    """Return the record to work under: of the finished or unfinished run that is there, or the planned one.

    Raises `UsageError`, naming what differs, when the folder belongs to another run. Only for the
    holder of the folder's lock.
    """
    found = record_of(folder) if not fresh else None
    if found is None:
        _clear(folder)
        planned.save(folder)
        return planned
    refuse_other(folder, found.identity, planned.identity, _ANOTHER)
    if found.status == "finished":
        _check_finished(folder, found)
        return found
    _sweep(folder)
    planned.save(folder)
    return planned


def finished_for_reading(folder: Path, planned: RunRecord) -> RunRecord | None:
    """Return the record of a folder that nobody can write to, where the planned run is finished in it.

    None for any other folder. Raises `UsageError` as `enter` does.
    """
    found = None if not folder.exists() or os.access(folder, os.W_OK) else record_of(folder)
    if found is None or found.status != "finished":
        return None
    refuse_other(folder, found.identity, planned.identity, _ANOTHER)
    _check_finished(folder, found)
    return found


def find_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Path | None:
    """Return the verified checkpoint of this run to resume from; None to start at the beginning."""
    newest = newest_sound(folder)
    if newest is not None:
        refuse_other(newest, read_state(newest)["identity"], identity, _ANOTHER)
    return newest


def publish(folder: Path, aside: Path, record: RunRecord) -> RunRecord:
    """Move the trained model from a folder beside into place and mark the run as finished.

    The files are in the record before they are in the folder, so a kill leaves none unaccounted.
    """
    record = record.model_copy(update={"files": sealed(aside)})
    record.save(folder)
    for name in record.files:
        (folder / name).parent.mkdir(exist_ok=True)
        (aside / name).replace(folder / name)
    for place in {folder, *((folder / name).parent for name in record.files)}:
        sync_folder(place)
    shutil.rmtree(aside)
    finished = record.model_copy(update={"status": "finished"})
    finished.save(folder)
    return finished


def _check_finished(folder: Path, record: RunRecord) -> None:
    try:
        check_hashes(folder, record.files)
    except DamagedCheckpoint as problem:
        raise PairwrightError(
            f"{problem}; the run was finished, so restore that file or train again with --fresh"
        ) from None


def _clear(folder: Path) -> None:
    """Remove what an earlier run made, and nothing else; its record goes last."""
    _sweep(folder)
    others = (folder / TRACKERS, folder / CARRIED)
    for path in (*folder.glob(f"{PREFIX}*"), *folder.glob(f"{DAMAGED}*"), *others):
        shutil.rmtree(path, ignore_errors=True)
    earlier = record_of(folder)
    for name in (*(earlier.files if earlier else ()), METRICS_FILE, RECORD):
        (folder / name).unlink(missing_ok=True)
        if "/" in name:
            shutil.rmtree((folder / name).parent, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what a killed run left half-written."""
    for path in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
