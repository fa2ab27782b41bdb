"""Files written atomically: write aside, flush to disk, rename, flush the folder."""

import errno
import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

from pairwright.errors import PairwrightError

TEMPORARY = ".tmp-"
"""Prefix of every file that is still being written; whatever carries it may be swept away."""


def temporary_for(path: Path) -> Path:
    """Return the name of a file until it is whole, which `*.parquet` and the like do not match."""
    return path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}~")


def write_durably(path: Path, data: bytes) -> None:
    """Write `data` to `path` in one step that survives a kill and a power cut.

    A failure leaves what was there before. Raises `PairwrightError` when the disk refuses.
    """
    temporary = temporary_for(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # a file or link of that name is not ours to write to
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if error.errno in (errno.EROFS, errno.EACCES) and path.is_file() and path.read_bytes() == data:
            return  # a finished run on a disk that can only be read
        raise PairwrightError(
            f"{path}: {error.strerror or error} while writing {len(data):,} bytes; what was "
            "finished before is safe: make room and run the same command again"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_temporaries(folder: Path) -> None:
    """Remove what a killed writer left half-written. Only for the holder of the folder's lock."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        if leftover.is_file():
            leftover.unlink(missing_ok=True)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_space(folder: Path, needed: int) -> None:
    """Raise `PairwrightError` unless the disk that will hold `folder` has `needed` bytes free."""
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise PairwrightError(
            f"{folder}: not enough disk: about {needed / 2**20:,.0f} MiB needed, "
            f"{free / 2**20:,.0f} MiB free on {existing}"
        )
