"""Keys that were met before, found again in a few sorted arrays, at few bytes a key.

As in a log-structured merge tree (O'Neil et al. 1996): what is new is a small array, and small arrays
become larger ones.

    N keys asked for
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Places = NDArray[np.int64]

_RATIO = 4
"""How many times the next one an array is at least."""
_LARGEST = 2**21
"""Keys of an array that becomes no larger: to join two takes twice their memory."""


class _Run(NamedTuple):
    """Keys in order, and what belongs to each."""

    keys: Keys
    values: tuple[NDArray[np.generic], ...]

    def and_then(self, other: "_Run") -> "_Run":
        """Return both as one."""
        return _in_order(
            np.concatenate([self.keys, other.keys]),
            tuple(map(np.concatenate, zip(self.values, other.values, strict=True))),
        )


def _in_order(keys: Keys, values: tuple[NDArray[np.generic], ...]) -> _Run:
    order = np.argsort(keys, kind="stable")
    return _Run(keys[order], tuple(value[order] for value in values))


class SortedRuns:
    """Values by key; a key may have several."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, keys: Keys, *values: NDArray[np.generic]) -> None:
        """Add keys with the values of each."""
        if not len(keys):
            return
        new = _in_order(keys, values)
        while self._runs and len(self._runs[-1].keys) < min(_RATIO * len(new.keys), _LARGEST):
            new = self._runs.pop().and_then(new)
        self._runs.append(new)

    def find(self, keys_N: Keys) -> Iterator[tuple[Places, tuple[NDArray[np.generic], ...]]]:
        """Yield places in `keys_N` of keys that were added, and the values of each, array by array."""
        order = np.argsort(keys_N)
        asked = keys_N[order]
        for keys, values in self._runs:
            firsts = np.searchsorted(keys, asked)
            there = np.flatnonzero(keys[np.minimum(firsts, len(keys) - 1)] == asked)
            starts = firsts[there]
            sizes = np.searchsorted(keys, asked[there], "right") - starts
            at = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
            yield np.repeat(order[there], sizes), tuple(value[at] for value in values)


class Firsts:
    """Where each key was met first, at 24 bytes a key. Keys are hashes of 128 bits."""

    def __init__(self) -> None:
        self._runs = SortedRuns()
        self._count = 0

    def __call__(self, hashes: Iterable[bytes]) -> list[int]:
        """Return for each key the place where it was met first, counted over all calls: its own if new."""
        keys, rest = np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, 2).T
        if not len(keys):
            return []
        own = np.arange(self._count, self._count + len(keys))
        self._count += len(keys)
        order = np.lexsort((rest, keys))
        new = np.r_[True, (keys[order][1:] != keys[order][:-1]) | (rest[order][1:] != rest[order][:-1])]
        firsts = np.empty_like(own)
        firsts[order] = own[order][new][np.cumsum(new) - 1]
        for places, (others, before) in self._runs.find(keys):
            same = rest[places] == others
            firsts[places[same]] = before[same]
        first = firsts == own
        self._runs.add(keys[first], rest[first], own[first])
        return firsts.tolist()
