"""`sweep.json`: a sweep's settings, the result of each point, and the best one."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from pairwright.folders.durable import write_durably
from pairwright.folders.json_record import read_record
from pairwright.records import Record

SWEEP = "sweep.json"


class Point(Record):
    """One training of a sweep."""

    name: str
    values: dict[str, str]
    """The settings that make it."""
    folder: str
    metrics: dict[str, float] = Field(default_factory=dict)
    """The last value of every metric; `pass_rate` besides, where models are measured by a verifier."""
    seconds: float = 0.0
    failure: str | None = None
    """Why its training ended before its end."""


class SweepRecord(Record):
    """`sweep.json`."""

    identity: dict[str, Any]
    """The settings that decide what is trained."""
    by: str
    """Metric that says which is best."""
    points: tuple[Point, ...] = ()
    best: str | None = None
    """Name of the best point."""
    complete: bool = False

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured of the best point."""
        return next((p.metrics for p in self.points if p.name == self.best), {})

    def with_point(self, point: Point) -> "SweepRecord":
        """Return the record with one more point, or with its new result."""
        others = tuple(p for p in self.points if p.name != point.name)
        return self.model_copy(update={"points": (*others, point)})

    def save(self, folder: Path) -> None:
        """Write `sweep.json` in one step."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False)
        write_durably(folder / SWEEP, (text + "\n").encode("utf-8", "surrogatepass"))


def record_of(folder: Path) -> SweepRecord | None:
    """Return the record of a folder, None where there is none. Raises `PairwrightError` if unreadable."""
    return read_record(folder / SWEEP, SweepRecord, "restore it or choose another output_dir")


def lower_is_better(metric: str) -> bool:
    """Return whether a metric's lowest value is the best, as of losses and gradient norms."""
    return metric.endswith(("loss", "grad_norm"))


def best_of(record: SweepRecord) -> Point | None:
    """Return the best point, the first of equals; None if no point has the metric."""
    sign = -1 if lower_is_better(record.by) else 1
    sound = [point for point in record.points if record.by in point.metrics]
    return max(sound, key=lambda point: sign * point.metrics[record.by], default=None)
