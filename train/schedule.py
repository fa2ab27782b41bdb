"""Which pairs each update sees, and how far it steps: pure functions of the settings.

Nothing here has state, so a resumed run finds its place by counting.
"""

import hashlib
import math
from typing import NamedTuple

import torch

from train.config import SchedulerName, TrainingConfig


class Schedule(NamedTuple):
    """The updates of a run. Updates and epochs count from 1 and 0; update 0 is the start."""

    num_pairs: int
    pairs_per_update: int
    num_updates: int
    seed: int

    @property
    def updates_per_epoch(self) -> int:
        """The last one of an epoch may have fewer pairs."""
        return math.ceil(self.num_pairs / self.pairs_per_update)

    def pairs_of(self, update: int) -> list[int]:
        """Indices of the pairs behind an update; every epoch has every pair once."""
        epoch, position = divmod(update - 1, self.updates_per_epoch)
        start = position * self.pairs_per_update
        return epoch_order(self.num_pairs, self.seed, epoch)[start : start + self.pairs_per_update]

    def epoch_after(self, update: int) -> float:
        """Passes over the pairs that are done after an update."""
        epochs, updates = divmod(update, self.updates_per_epoch)
        return epochs + min(updates * self.pairs_per_update, self.num_pairs) / self.num_pairs


def plan(config: TrainingConfig, num_pairs: int) -> Schedule:
    """The schedule of `num_pairs` training pairs under these settings."""
    one_epoch = Schedule(num_pairs, config.pairs_per_update, 0, config.seed)
    by_epochs = math.ceil(config.num_train_epochs * one_epoch.updates_per_epoch)
    return one_epoch._replace(num_updates=config.max_steps or by_epochs)


def epoch_order(num_pairs: int, seed: int, epoch: int) -> list[int]:
    """The order of the pairs in an epoch, from a generator of its own."""
    digest = hashlib.sha256(f"pairwright epoch {seed} {epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
    return torch.randperm(num_pairs, generator=generator).tolist()


def learning_rate(
    update: int, num_updates: int, *, peak: float, warmup_ratio: float, kind: SchedulerName
) -> float:
    """The step size of an update (from 1).

    It rises in equal steps to the peak and falls from there towards zero, which it would reach one
    update after the last: no update is wasted on a rate of zero, at either end.
    """
    warmup = math.ceil(warmup_ratio * num_updates)
    if update <= warmup:
        return peak * update / warmup
    progress = (update - 1 - warmup) / (num_updates - warmup)
    match kind:
        case "constant":
            return peak
        case "linear":
            return peak * (1 - progress)
        case "cosine":
            return peak * (1 + math.cos(math.pi * progress)) / 2
