"""Figures of a training folder: `metrics.jsonl` as curves, and `train.json` as facts."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from pairwright.errors import PairwrightError
from pairwright.folders.json_record import read_json
from pairwright.records import Record

METRICS_FILE = "metrics.jsonl"
HELD_OUT = "eval_"
TRAINING_RECORD = "train.json"
_FACTS = ("step", "epoch")


class Curve(Record):
    """A metric over updates."""

    steps: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def first(self) -> float:
        """Where it begins."""
        return self.values[0]

    @property
    def last(self) -> float:
        """Where it ends."""
        return self.values[-1]


class TrainingFigures(Record):
    """A training run in numbers."""

    finished: bool
    settings: dict[str, Any]
    counts: dict[str, int]
    """Pairs, tokens and updates."""
    dropped: dict[str, int]
    """Pairs left out, by reason."""
    seconds: float
    curves: dict[str, Curve]
    """By metric, over the pairs trained on."""
    held_out: dict[str, Curve]
    """The same over held-out pairs, without their prefix `eval_`."""


def is_training(folder: Path) -> bool:
    """Return whether a folder holds the metrics of a training run."""
    return (folder / METRICS_FILE).is_file()


def training_of(folder: Path) -> TrainingFigures:
    """Return figures of a training folder, finished or not. Raises `PairwrightError` for a broken file."""
    record = read_json(folder / TRAINING_RECORD, "restore it or train again") or {}
    curves = _curves(folder / METRICS_FILE)
    return TrainingFigures(
        finished=record.get("status") == "finished",
        settings=dict(record.get("config") or {}),
        counts=dict(record.get("counts") or {}),
        dropped={reason: len(ids) for reason, ids in (record.get("dropped") or {}).items()},
        seconds=float(record.get("seconds") or 0.0),
        curves={n: c for n, c in curves.items() if not n.startswith(HELD_OUT)},
        held_out={n.removeprefix(HELD_OUT): c for n, c in curves.items() if n.startswith(HELD_OUT)},
    )


def _curves(path: Path) -> dict[str, Curve]:
    """Every metric that has a number somewhere. A last line that a kill cut short is left out."""
    points: dict[str, list[tuple[int, float]]] = {}
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and not line.endswith(b"\n"):
            break
        record = _line(path, number, line)
        for name, value in record.items():
            if name not in _FACTS and is_number(value):
                points.setdefault(name, []).append((int(record["step"]), float(value)))
    return {
        name: Curve(steps=tuple(s for s, _ in found), values=tuple(v for _, v in found))
        for name, found in points.items()
    }


def is_number(value: Any) -> TypeGuard[int | float]:
    """Return whether a value is a finite number: JSON as Python reads it has NaN and infinities too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _line(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
        int(record["step"])
    except (ValueError, TypeError, KeyError):
        raise PairwrightError(
            f"{path} line {number}: is not a line of metrics; remove it or train again"
        ) from None
    return dict(record)
