"""Training folders: their content as a hash, and put back to an earlier update."""

import hashlib
import shutil
from pathlib import Path

from train.output.checkpoint import (
    checkpoint_folder,
    checkpoints,
    write_checkpoint,
)


def empty_checkpoint(output: Path, update: int) -> Path:
    target = checkpoint_folder(output, update)
    write_checkpoint(target, lambda folder: (folder / "part").write_text(str(update)) and None)
    return target


def rewind_to(output: Path, update: int) -> None:
    """Make a finished run look like one that was killed right after a checkpoint."""
    record = (output / "train.json").read_text().replace('"finished"', '"running"')
    (output / "train.json").write_text(record)
    for path in checkpoints(output):
        if int(path.name.rpartition("-")[2]) > update:
            shutil.rmtree(path)


def folder_hash(folder: Path) -> str:
    """Everything below a folder, the lock file apart."""
    return folder_hash_of(folder, "**/*")


def folder_hash_of(folder: Path, pattern: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.glob(pattern) if p.is_file() and p.name != ".lock"):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()
