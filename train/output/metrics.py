"""Sums of metrics over pairs, and the file where their means are written.

    K  metrics    B  pairs in a batch

`metrics.jsonl` holds nothing about time or place, so two runs can be compared line by line.
"""

import copy
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pairwright.folders.durable import write_durably

if TYPE_CHECKING:
    from accelerate import Accelerator


class MetricSums:
    """Sums over pairs, kept on the device until they are read."""

    def __init__(self, device: torch.device, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.sums_K = torch.zeros(len(names), device=device)
        self.pairs = torch.zeros((), device=device)

    def add(self, values_KB: Tensor, weight: float) -> None:
        """Count pairs in; a weight of 0 leaves them out, whatever their values."""
        if weight:
            self.sums_K += weight * values_KB.sum(1)
            self.pairs += weight * values_KB.shape[1]

    def copy(self) -> "MetricSums":
        """Return an independent copy of the sums."""
        other = copy.copy(self)
        other.restore(self)
        return other

    def restore(self, other: "MetricSums") -> None:
        """Go back to the sums of a copy."""
        self.sums_K, self.pairs = other.sums_K.clone(), other.pairs.clone()

    def clear(self) -> None:
        """Count from nothing again."""
        self.sums_K.zero_()
        self.pairs.zero_()

    def over_all(self, accelerator: "Accelerator") -> "MetricSums":
        """Return the sums over all processes."""
        total = MetricSums(self.sums_K.device, self.names)
        total.sums_K, total.pairs = accelerator.reduce((self.sums_K, self.pairs), reduction="sum")
        return total

    def means(self, accelerator: "Accelerator", *, prefix: str = "") -> dict[str, float]:
        """Return the mean of every metric over the pairs of all processes, by name: one host sync.

        No pairs give no metrics.
        """
        total = self.over_all(accelerator)
        *sums, pairs = torch.cat([total.sums_K, total.pairs[None]]).tolist()
        named = zip(self.names, sums, strict=True)
        return {prefix + name: value / pairs for name, value in named} if pairs else {}


class MetricLog:
    """Appends records to `metrics.jsonl`, each line a whole JSON object that begins with `step`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rewind(self, update: int) -> None:
        """Remove lines after an update, and one that a kill cut short."""
        lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
        write_durably(self._path, b"".join(line for line in lines if _step(line) <= update))

    def append(self, record: Mapping[str, float]) -> None:
        """Write a record out to the disk."""
        line = json.dumps(record, allow_nan=False) + "\n"
        with self._path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def ends(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the metrics of update 0, and the last value of every metric."""
        start: dict[str, float] = {}
        last: dict[str, float] = {}
        for line in self._path.read_bytes().splitlines():
            record = json.loads(line)
            if record.pop("step") == 0:
                start |= record
            last |= record
        return start, last


def _step(line: bytes) -> float:
    """The update that a line is about; a line that is not whole is about none."""
    try:
        step: float = json.loads(line)["step"] if line.endswith(b"\n") else math.inf
    except (ValueError, KeyError, TypeError):
        return math.inf
    return step
