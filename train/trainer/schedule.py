"""Which pairs each update sees, and its learning rate: pure functions of the settings.

Nothing here has state, so a resumed run finds its place by counting.
"""

import hashlib
import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import torch

from pairwright.errors import UsageError
from train.config import SchedulerName, TrainingConfig
from train.data.split import Item


class Schedule(NamedTuple):
    """The updates of a run. Updates and epochs count from 1 and 0; update 0 is the start."""

    num_pairs: int
    pairs_per_update: int
    num_updates: int
    seed: int
    groups: tuple[int, ...] = ()
    """Numbers of neighbouring pairs that stay in one update; each goes its own way when empty."""
    keep_order: bool = False
    """Whether every epoch has the pairs in their given order."""

    @property
    def updates_per_epoch(self) -> int:
        """The last one of an epoch may have fewer pairs."""
        return math.ceil(self.num_pairs / self.pairs_per_update)

    def pairs_of(self, update: int) -> list[int]:
        """Return indices of the pairs behind an update; every epoch has every pair once.

        A group is in the update in which its last pair falls. None is larger than an update, so every
        update has pairs, and fewer than two updates' worth.
        """
        epoch, position = divmod(update - 1, self.updates_per_epoch)
        start = position * self.pairs_per_update
        return self._between(start, start + self.pairs_per_update, epoch)

    def used(self) -> list[int]:
        """Return indices of the pairs behind all updates, which may end within the first epoch."""
        return self._between(0, max(self.num_updates, 0) * self.pairs_per_update, epoch=0)

    def _between(self, start: int, stop: int, epoch: int) -> list[int]:
        """The pairs of an epoch from one place to another, with whole groups."""
        if not self.groups:
            return self._order(self.num_pairs, epoch)[start:stop]
        sizes = torch.tensor(self.groups)
        order = torch.tensor(self._order(len(sizes), epoch))
        lasts = sizes[order].cumsum(0) - 1
        firsts = sizes.cumsum(0) - sizes
        mine = order[(start <= lasts) & (lasts < stop)].tolist()
        return [int(firsts[group]) + place for group in mine for place in range(self.groups[group])]

    def _order(self, number: int, epoch: int) -> list[int]:
        """The order of pairs, or of groups, in an epoch."""
        return list(range(number)) if self.keep_order else epoch_order(number, self.seed, epoch)

    def epoch_after(self, update: int) -> float:
        """Return the passes over the pairs that are done after an update."""
        epochs, updates = divmod(update, self.updates_per_epoch)
        return epochs + min(updates * self.pairs_per_update, self.num_pairs) / self.num_pairs


def schedule_of(config: TrainingConfig, items: Sequence[Item]) -> Schedule:
    """Return the schedule of the training items under these settings.

    Where scored answers make several pairs, those of a prompt stay together. Raises `UsageError` if
    they are more than an update has.
    """
    groups: list[list[Item]] = []
    if config.pairs != "best_worst":
        groups = [list(group) for _, group in groupby(items, key=lambda item: item.prompt_key)]
        largest = max(groups, key=len)
        if len(largest) > config.pairs_per_update:
            raise UsageError(
                f"row {largest[0].row_id}: its prompt has {len(largest)} pairs, which go into one update, "
                f"and pairs_per_update is {config.pairs_per_update}; give at least that many"
            )
    sizes = tuple(map(len, groups))
    one_epoch = Schedule(len(items), config.pairs_per_update, 0, config.seed, sizes, config.keep_order)
    by_epochs = math.ceil(config.num_train_epochs * one_epoch.updates_per_epoch)
    return one_epoch._replace(num_updates=config.max_steps or by_epochs)


def epoch_order(num_pairs: int, seed: int, epoch: int) -> list[int]:
    """Return the order of the pairs in an epoch, from a generator of its own."""
    digest = hashlib.sha256(f"pairwright epoch {seed} {epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
    return torch.randperm(num_pairs, generator=generator).tolist()


def learning_rate(
    update: int, num_updates: int, *, peak: float, warmup_ratio: float, kind: SchedulerName
) -> float:
    """Return the learning rate of an update (from 1).

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
