"""What a source's name says: which place it means, and which files."""

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from pairwright.errors import UsageError
from pairwright.inputs.layouts import splits_of
from pairwright.inputs.unpacked import STANDARD_INPUT


def is_here(name: str) -> bool:
    """Return whether a name is a file or folder on this machine, or a split of a folder."""
    path, (head, _, split) = Path(name), name.rpartition(":")
    if name in STANDARD_INPUT or files_named(name):
        return True
    if path.exists() or (Path(head).is_dir() and head and split in splits_of(Path(head))):
        return True
    return path.parent.is_dir() and path.name in splits_of(path.parent)


def folder_of(name: str) -> Path:
    """Return the place of a name on this machine, without the split of a folder that it may name."""
    path, head = Path(name), name.rpartition(":")[0]
    if not path.exists() and head and Path(head).is_dir():
        return Path(head)
    is_split = not path.exists() and path.parent.is_dir() and path.name in splits_of(path.parent)
    return path.parent if is_split else path


def files_of(name: str, pattern: str) -> list[Path]:
    """Return the files of a name: itself, a folder's files that match, those of a pattern, or of `A+B`."""
    path = Path(name)
    found = sorted(path.rglob(pattern)) if path.is_dir() else files_named(name)
    if not found and not path.is_file():
        raise UsageError(f"{name}: no such file, and no folder with files {pattern} in it")
    return found or [path]


def files_named(name: str) -> list[Path]:
    """Return the files of a pattern (`*`, `?`, `[…]`), in order, or of `A+B`; for any other name none."""
    if has_magic(name) and (found := glob(name, recursive=True)):  # noqa: PTH207  # may be absolute
        return [Path(path) for path in sorted(found)]
    parts = name.split("+")
    if len(parts) < 2 or not all(Path(part).is_file() for part in parts):
        return []
    if twice := named_twice(parts):
        raise UsageError(f"{name}: {twice} is named twice; name it once")
    return [Path(part) for part in parts]


def named_twice(sources: Sequence[str]) -> str | None:
    """Return a source that another one is too, by whatever name."""
    places = [str(Path(name).resolve()) for name in sources]
    return next((n for n, place in zip(sources, places, strict=True) if places.count(place) > 1), None)
