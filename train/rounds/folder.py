"""Folders of work in rounds: whose they are, and which rounds are over.

game.json, loop.json   settings that decide what comes of it
round-0/               the start, as it is measured
round-N/               runs and models of a round; `measures.json` is written last and closes it
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.claim import changed_field
from pairwright.folders.durable import TEMPORARY, write_durably

MEASURES = "measures.json"
_OWN = (".lock", TEMPORARY)


def enter(folder: Path, identity: dict[str, Any], kind: str) -> None:
    """Take possession of a folder for a `game` or a `loop`, or go on in it.

    Raises `UsageError` if it belongs to anything else.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder for output_dir")
    path = folder / f"{kind}.json"
    if path.exists():
        found = _read(path)
        if difference := changed_field(found, identity):
            raise UsageError(
                f"{folder}: belongs to a {kind} with other settings: {difference}; "
                "choose another output_dir"
            )
        return
    entries = folder.iterdir() if folder.exists() else ()
    if others := sorted(p.name for p in entries if not p.name.startswith(_OWN)):
        raise UsageError(
            f"{folder}: holds other files ({', '.join(others[:3])}); choose another output_dir"
        )
    write_durably(path, (json.dumps(identity, indent=1, ensure_ascii=False) + "\n").encode())


def round_folder(folder: Path, number: int) -> Path:
    """Where a round is."""
    return folder / f"round-{number}"


def read_measures(folder: Path) -> dict[str, Any] | None:
    """The measures of a round that is over; they are what is written last of it."""
    path = folder / MEASURES
    return _read(path) if path.exists() else None


def write_measures(folder: Path, measures: dict[str, Any]) -> None:
    """Close a round."""
    write_durably(folder / MEASURES, (json.dumps(measures, indent=1, sort_keys=True) + "\n").encode())


def finished_rounds(folder: Path) -> Iterator[dict[str, Any]]:
    """Measures of the start and of all rounds that are over, in order."""
    number = 0
    while (found := read_measures(round_folder(folder, number))) is not None:
        yield found
        number += 1


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise PairwrightError(
            f"{path}: damaged ({error}); restore it or choose another output_dir"
        ) from None
    return values
