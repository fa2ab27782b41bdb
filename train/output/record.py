"""`train.json`: what a training folder is, and the result that is read from it."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pairwright.folders.durable import write_durably
from pairwright.folders.json_record import read_record
from pairwright.records import Record
from train.config import TrainingConfig

RECORD = "train.json"


class RunRecord(Record):
    """`train.json`."""

    status: Literal["running", "finished"] = "running"
    identity: dict[str, Any]
    """All that decides the trained weights: settings, model, tokenizer, pairs."""
    config: dict[str, Any]
    """All settings, resolved."""
    begun_in: str = ""
    """The folder that the command ran in, from which relative names in `config` go."""
    versions: dict[str, str]
    counts: dict[str, int]
    """Pairs, tokens and updates."""
    dropped: dict[str, list[str]]
    """Row ids of the pairs left out, by reason."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the trained model's files."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """The last value of every metric."""
    start_metrics: dict[str, float] = Field(default_factory=dict)
    """Held-out metrics before the first update."""
    seconds: float = 0.0
    """Of the process that finished the run."""
    peak_memory_gib: float = 0.0

    def save(self, folder: Path) -> None:
        """Write `train.json` in one step."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False)
        write_durably(folder / RECORD, (text + "\n").encode("utf-8", "surrogatepass"))


def record_of(folder: Path) -> RunRecord | None:
    """Return the record of a folder, None where there is none. Raises `PairwrightError` if unreadable."""
    return read_record(folder / RECORD, RunRecord, "restore it or choose another output_dir")


class TrainResult(Record):
    """The result of a training run, or of its preview or dry run."""

    output_dir: str
    status: str
    """`trained`, `already_finished`, `preview` or `dry_run`."""
    updates: int = 0
    pairs: int = 0
    held_out_pairs: int = 0
    dropped: dict[str, int] = Field(default_factory=dict)
    """Pairs left out, by reason."""
    start_metrics: dict[str, float] = Field(default_factory=dict)
    """Held-out metrics before the first update."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """The last value of every metric."""
    seconds: float = 0.0
    """Wall time; of a dry run the estimate."""
    peak_memory_gib: float = 0.0


def result_of(config: TrainingConfig, record: RunRecord, status: str) -> TrainResult:
    """Return the result that a run's record describes."""
    return TrainResult(
        output_dir=config.output_dir,
        status=status,
        updates=record.counts["updates"],
        pairs=record.counts["pairs"],
        held_out_pairs=record.counts["held_out_pairs"],
        dropped={reason: len(ids) for reason, ids in record.dropped.items()},
        start_metrics=record.start_metrics,
        metrics=record.metrics,
        seconds=record.seconds,
        peak_memory_gib=record.peak_memory_gib,
    )
