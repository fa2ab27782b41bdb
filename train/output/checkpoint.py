"""Checkpoint folders that are either whole or refused: `OUTPUT/checkpoint-N`.

Written aside, flushed, sealed by a manifest of hashes that is written last, and renamed: the rename
is the only commit. Nothing is loaded from a folder that does not match its manifest to the byte.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from pairwright.errors import PairwrightError
from pairwright.folders.durable import TEMPORARY, sha256_file, sync_folder
from pairwright.records import canonical_json

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
PREFIX = "checkpoint-"
DAMAGED = "damaged-"


class DamagedCheckpoint(PairwrightError):
    """A checkpoint is not what was written. The message begins with the part that is wrong."""


def checkpoint_folder(output: Path, update: int) -> Path:
    """Return the folder of the checkpoint after an update."""
    return output / f"{PREFIX}{update}"


def checkpoints(output: Path) -> list[Path]:
    """Return checkpoint folders, newest first, sound or not."""
    found = [p for p in output.glob(f"{PREFIX}*") if p.name.removeprefix(PREFIX).isdecimal()]
    return sorted(found, key=lambda p: -int(p.name.removeprefix(PREFIX)))


def write_checkpoint(target: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write files into a folder, then put it at `target` in one step.

    Whatever goes wrong, no folder of that name appears and earlier checkpoints stay as they are.
    Raises `PairwrightError` when the disk refuses.
    """
    aside = target.with_name(f"{TEMPORARY}{target.name}")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        fill(aside)
        _write_flushed(aside / MANIFEST, canonical_json(sealed(aside)))
        sync_folder(aside)
        aside.rename(target)
        sync_folder(target.parent)
    except (OSError, SafetensorError) as error:
        raise PairwrightError(
            f"{target}: could not be written ({error}); earlier checkpoints are as they were: make "
            "room and run the same command again"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def sealed(folder: Path) -> dict[str, str]:
    """Return SHA-256 by name of all files in a folder and the folders in it, each flushed to the disk."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir():  # of the chat templates beside the first, say
            sync_folder(path)
            continue
        with path.open("rb") as file:
            os.fsync(file.fileno())
        hashes[path.relative_to(folder).as_posix()] = sha256_file(path)
    return hashes


def verify(folder: Path) -> None:
    """Raise `DamagedCheckpoint`, naming the file, unless the folder is as it was written."""
    path = folder / MANIFEST
    try:
        text = path.read_text()
        hashes = json.loads(text)
        if canonical_json(hashes) != text or not isinstance(hashes, dict):
            raise ValueError(text)
    except FileNotFoundError:
        raise DamagedCheckpoint(f"{path}: missing") from None
    except ValueError:
        raise DamagedCheckpoint(f"{path}: damaged") from None
    check_hashes(folder, hashes)


def check_hashes(folder: Path, hashes: dict[str, str]) -> None:
    """Raise `DamagedCheckpoint`, naming the file, unless all are there with these hashes."""
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file():
            raise DamagedCheckpoint(f"{path}: missing")
        if sha256_file(path) != expected:
            raise DamagedCheckpoint(f"{path}: damaged, its hash is not the recorded one")


def newest_sound(output: Path) -> Path | None:
    """Return the newest checkpoint that verifies, or None without checkpoints.

    Newer damaged ones are put aside, with a warning. Raises `PairwrightError` when there are checkpoints
    and all of them are damaged. Only for the holder of the folder's lock.
    """
    problems: list[tuple[Path, DamagedCheckpoint]] = []
    for folder in checkpoints(output):
        try:
            verify(folder)
        except DamagedCheckpoint as problem:
            problems.append((folder, problem))
            continue
        for damaged, why in problems:
            log.warning("%s; put aside, going back to %s", why, folder.name)
            _put_aside(damaged)
        return folder
    if problems:
        raise PairwrightError(
            f"{problems[0][1]}; no other checkpoint is whole: restore that file, or start over with --fresh"
        )
    return None


def rotate(output: Path, keep: int) -> None:
    """Remove all but the `keep` newest checkpoints. Call it after one was written, never before."""
    for folder in checkpoints(output)[keep:]:
        doomed = folder.with_name(f"{TEMPORARY}{folder.name}")
        folder.rename(doomed)  # so that a kill in between leaves no half checkpoint
        shutil.rmtree(doomed)


def _put_aside(folder: Path) -> None:
    aside = folder.with_name(f"{DAMAGED}{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)


def _write_flushed(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
