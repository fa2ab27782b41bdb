"""A run made by one process alone, and whether another run is as if made so."""

import re
from pathlib import Path

from kill_commands import finished_keys
from runs_on_disk import files_of

from pairwright.folders.manifest import load_manifest
from revise import ReviseConfig, revise


def alone(folder: Path, config: ReviseConfig) -> Path:
    """What a single process makes of the same settings."""
    revise(config.model_copy(update={"out": str(folder / "alone"), "shard": None}))
    return folder / "alone"


def as_if_alone(run: Path, golden: Path) -> None:
    assert files_of(run) == files_of(golden)
    mine, theirs = load_manifest(run), load_manifest(golden)
    assert mine.complete
    assert mine.shards == theirs.shards
    assert finished_keys(run) == finished_keys(golden)
    assert not (run / "workers").exists()
    assert card_of(run) == card_of(golden)


def card_of(run: Path) -> str:
    """The card without what tells runs apart: name and seconds."""
    return re.sub(r"in \d+ s|^# .*", "", (run / "README.md").read_text(), flags=re.MULTILINE)
