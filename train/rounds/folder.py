"""Folders of work in rounds: their owner, and which rounds are finished.

game.json, loop.json   settings that decide what comes of it
round-0/               the start, as it is measured
round-N/               runs and models of a round; `measures.json` is written last and closes it
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pairwright.folders.claim import refuse_foreign, refuse_other
from pairwright.folders.durable import write_durably
from pairwright.folders.json_record import read_json
from train.rounds.config import RoundsConfig

MEASURES = "measures.json"
_ADVICE = "restore it or choose another output_dir"


def enter(
    folder: Path,
    identity: dict[str, Any],
    kind: str,
    today: Callable[[dict[str, Any]], dict[str, Any]],
    why: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Claim a folder for a `game` or a `loop`, or continue in it.

    `today` converts a record that the version before wrote; `why` says of settings that one would expect to
    change freely why they cannot. Raises `UsageError` if the folder belongs to
    anything else.
    """
    path = folder / f"{kind}.json"
    refuse_foreign(folder, path.name, setting="output_dir")
    if (found := read_json(path, _ADVICE)) is not None:
        before = today(found)
        changed = [name for name in identity if before.get(name) != identity[name]]
        reasons = [why[name] for name in changed[:1] if name in why]
        advice = "; ".join([*reasons, "choose another output_dir"])
        refuse_other(folder, before, identity, advice, what=kind)
        return
    write_durably(path, (json.dumps(identity, indent=1, ensure_ascii=False) + "\n").encode())


def begins(folder: Path, kind: str, config: RoundsConfig) -> bool:
    """Return whether a `game` or a `loop` is about to be begun in a folder, and not only shown."""
    return not (config.preview or config.dry_run or (folder / f"{kind}.json").exists())


def round_folder(folder: Path, number: int) -> Path:
    """Return the folder of a round."""
    return folder / f"round-{number}"


def read_measures(folder: Path) -> dict[str, Any] | None:
    """Return the measures of a finished round, which are written last."""
    return read_json(folder / MEASURES, _ADVICE)


def write_measures(folder: Path, measures: dict[str, Any]) -> None:
    """Write a round's measures, which marks it as finished."""
    write_durably(folder / MEASURES, (json.dumps(measures, indent=1, sort_keys=True) + "\n").encode())


def finished_rounds(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the measures of the start and of all finished rounds, in order."""
    number = 0
    while (found := read_measures(round_folder(folder, number))) is not None:
        yield found
        number += 1
