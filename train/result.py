"""What a training command gives back."""

from pydantic import Field

from pairwright.records import Record
from train.config import TrainingConfig
from train.output.folder import TrainRecord


class TrainResult(Record):
    """What came of a training run, or of the rehearsal of one."""

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


def result_of(config: TrainingConfig, record: TrainRecord, status: str) -> TrainResult:
    """The result that a run's record describes."""
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
