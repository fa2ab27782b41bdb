"""The owner of a folder: what may be written into it, and the settings it was begun with."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from pairwright.errors import UsageError
from pairwright.folders.durable import TEMPORARY
from pairwright.folders.lock import LOCK

_SHOWN = 3
_LINE = 2**20
"""Bytes of a first line that are looked at."""


def refuse_foreign(folder: Path, mark: str, *, setting: str, own: Sequence[str] = ()) -> None:
    """Raise `UsageError` when `folder` is a file, or holds files without the `mark` of our own.

    `own` are patterns of what is left of a command that was killed before it wrote the mark;
    `setting` is how the folder was named.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder for {setting}")
    if not folder.exists() or (folder / mark).exists():
        return
    ours = (LOCK, f"{TEMPORARY}*", *own)
    others = sorted(
        p.name for p in folder.iterdir() if not any(fnmatch(p.name, o) for o in ours) and _holds(p)
    )
    if others:
        shown = ", ".join(others[:_SHOWN])
        raise UsageError(f"{folder}: holds other files ({shown}); choose another {setting}")


def refuse_foreign_file(path: Path, mark: bytes, *, setting: str) -> None:
    """Raise `UsageError` when a file is there whose first line lacks the `mark` of our own; an empty one
    is nobody's.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        first = file.readline(_LINE)
    if first and mark not in first:
        raise UsageError(f"{path}: is a file of something else; choose another {setting}")


def refuse_reading(
    folder: Path, settings: Mapping[str, Any], *, writes: Sequence[str], what: str = "--fresh"
) -> None:
    """Raise `UsageError` where a setting names something in a folder that is about to be started over.

    What is read would be thrown away first. `writes` are settings that name what is written, `what` is
    what would do it.
    """
    place = folder.resolve()
    for name in settings.keys() - set(writes):
        for part in _parts(settings[name]):
            if any(place in (named.resolve(), *named.resolve().parents) for named in _named(part)):
                raise UsageError(
                    f"{folder}: {what} would throw away what `{name}` ({part}) reads; name another folder "
                    "to write to"
                )


def _named(part: str) -> list[Path]:
    """The files and folders of a name, or of a pattern."""
    name = os.path.expanduser(part)  # noqa: PTH111  # a text of any length
    if os.path.exists(name):  # noqa: PTH110
        return [Path(name)]
    return [Path(found) for found in glob(name, recursive=True)] if has_magic(name) else []  # noqa: PTH207


def _parts(value: Any) -> Iterator[str]:
    """Texts in a setting's value, whole and in the parts that a kind, a column or a list makes of them."""
    if isinstance(value, str):
        yield from filter(None, dict.fromkeys([value, *re.split(r"[:,+@]", value)]))
    elif isinstance(value, Sequence):
        for one in value:
            yield from _parts(one)


def refuse_other(
    folder: Path, found: Mapping[str, Any], planned: Mapping[str, Any], advice: str, *, what: str = "run"
) -> None:
    """Raise `UsageError`, naming what differs, when a folder was begun under other settings."""
    if moved := _moved(found, planned):
        advice = (
            f"{advice}; if it is the same server at another address, leave the setting as it was and add "
            f"--server_moved {moved}"
        )
    if difference := changed_field(found, planned):
        raise UsageError(f"{folder}: belongs to a {what} with other settings: {difference}; {advice}")


def changed_field(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return the name of a setting that differs, with both values; None where all are the same."""
    for name in [*before, *(n for n in now if n not in before)]:
        if before.get(name) != now.get(name):
            new = [f"`{n}` {_said(value)}" for n, value in now.items() if n not in before]
            if name not in now and new:
                return f"`{name}` was {_said(before[name])}; now there is {' and '.join(new)}"
            return f"`{name}` was {_said(before.get(name))} and is now {_said(now.get(name))}"
    return None


def _said(value: Any) -> str:
    """A value of a setting, or that it stands for what a file holds."""
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32,64}", value):
        return f"content with the hash {value[:8]}"
    return repr(value)


def _moved(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """`OLD=NEW` where the first setting that differs names one model at two servers."""
    name = next((name for name in before if before[name] != now.get(name)), "")
    specs = [str(settings.get(name, "")).partition("@http") for settings in (before, now)]
    (model, at, old), (other, _, new) = specs
    return f"http{old}=http{new}" if at and new and model == other and model.startswith("openai:") else None


def _holds(path: Path) -> bool:
    """Whether a folder holds a file that is not half-written; a path that is a file always does."""
    if not path.is_dir():
        return True
    return any(p.is_file() and not p.name.startswith(TEMPORARY) for p in path.rglob("*"))
