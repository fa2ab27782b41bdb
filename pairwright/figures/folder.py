"""Which kinds of figures a folder has, and all of them."""

from pathlib import Path
from typing import Any

from pairwright.errors import UsageError
from pairwright.figures.rounds import RoundFigures, has_rounds, rounds_of
from pairwright.figures.rows import Prices, RunRows, rows_of_run
from pairwright.figures.training import TrainingFigures, is_training, training_of
from pairwright.figures.words import in_words
from pairwright.folders.json_record import read_json
from pairwright.folders.manifest import MANIFEST, load_manifest
from pairwright.inputs.layouts import what_it_holds
from pairwright.records import Record

MEASURED = ("calibration", "winrate", "evaluation", "reward", "selection")
"""Names of JSON files in which commands leave what they measured."""


class Figures(Record):
    """A folder in numbers. What it has nothing of is None."""

    folder: str
    rows: RunRows | None = None
    calibration: dict[str, Any] | None = None
    """`calibration.json`: a rate is a list of value, lower and upper end of its interval, and count."""
    winrate: dict[str, Any] | None = None
    """`winrate.json`."""
    evaluation: dict[str, Any] | None = None
    """`evaluation.json`: pass rates of models, and their differences."""
    reward: dict[str, Any] | None = None
    """`reward.json`, of a reward model."""
    selection: dict[str, Any] | None = None
    """`selection.json`: what each rule took, and measures of all pairs and of kept ones."""
    training: TrainingFigures | None = None
    in_words: str = ""
    """What training did, in two sentences."""
    rounds: RoundFigures | None = None


def figures_of(folder: Path, prices: Prices | None = None) -> Figures:
    """Return all figures of a run folder, a training folder, a game or a loop.

    Raises `UsageError` when the folder is none of these.
    """
    if folder.is_file():
        raise UsageError(f"{folder}: is a file; name the folder it is in")
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name what a command wrote with --out or --output_dir")
    rounds = rounds_of(folder) if has_rounds(folder) else None
    training = training_of(folder) if is_training(folder) else None
    rows = None
    if (folder / MANIFEST).is_file() and (rounds is None and training is None):
        rows = rows_of_run(folder, load_manifest(folder), prices)
    if rows is None and training is None and rounds is None:
        raise UsageError(
            f"{folder}: holds no figures: no {MANIFEST}, no metrics.jsonl and no rounds in it; "
            f"{what_it_holds(folder)}"
        )
    return Figures(
        folder=str(folder),
        rows=rows,
        training=training,
        in_words=in_words(training) if training else "",
        rounds=rounds,
        **{name: read_json(folder / f"{name}.json", "run its command again") for name in MEASURED},
    )
