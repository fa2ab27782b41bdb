"""Rules about how many pairs, and of which kinds: each takes the first ones of a ranking.

P  pairs
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from pairwright.errors import UsageError
from pairwright.records import DUPLICATE, Ending
from pairwright.sift.dedup import DedupConfig, Duplicates
from pairwright.sift.whole import Block
from train.selection.config import SelectConfig
from train.selection.measures import Floats
from train.selection.rules import DESCENDING, column_of


def ranking(name: str | None, numbers: Mapping[str, Floats], size: int) -> list[int]:
    """Return all pairs' places, least first by a measure (`NAME:desc`: greatest first), missing ones last.

    Pairs that are equal in it stay in the order in which they came.
    """
    if name is None:
        return list(range(size))
    values_P = numbers[column_of(name)]
    keys_P = -values_P if name.endswith(DESCENDING) else values_P
    order: list[int] = np.argsort(keys_P, kind="stable").tolist()  # NaN goes to the end
    return order


def in_turns(ranked: Iterable[int], labels: Sequence[str]) -> list[int]:
    """Interleave places by a column's values: the first of each value, then the second of each, …"""
    seen: Counter[str] = Counter()
    turns = []
    for rank, place in enumerate(ranked):
        turns.append((seen[labels[place]], rank, place))
        seen[labels[place]] += 1
    return [place for _, _, place in sorted(turns)]


class Quotas:
    """Rules about how many pairs, applied one after the other to what is left of a ranking."""

    def __init__(self, config: SelectConfig, labels: Mapping[str, Sequence[str]]) -> None:
        """`labels` are the values of the columns that quotas go by, as text, each (P,)."""
        self._config = config
        self._labels = labels
        self.endings: dict[int, Ending] = {}
        """Of the pairs that were taken away, by place."""
        self.taken: dict[str, int] = {}
        """How many each rule took away, of those that the rules before it had left."""

    def apply(
        self, ranked: list[int], pairs: Callable[[Sequence[int]], Iterator[Block]], tokens_P: Floats | None
    ) -> None:
        """Apply the rules. Only `near` reads `pairs`, and only `budget_tokens` reads `tokens_P`."""
        config = self._config
        if config.near is not None:
            ranked = self._without_near(ranked, pairs(ranked), config.near)
        for column, most in config.caps.items():
            ranked = self._capped(ranked, column, most)
        if config.shares is not None:
            ranked = self._mixed(ranked)
        if config.stratify is not None:
            ranked = in_turns(ranked, self._labels[config.stratify])
        if config.top is not None:
            flag = f"--top {config.top}"
            ranked, over = ranked[: config.top], ranked[config.top :]
            self._take(flag, "not_top", dict.fromkeys(over, f"{config.top:,} pairs rank before it: {flag}"))
        if config.budget_tokens is not None:
            assert tokens_P is not None
            self._spend(ranked, tokens_P, config.budget_tokens)

    def _take(self, flag: str, status: str, reasons: Mapping[int, str]) -> None:
        self.taken[flag] = len(reasons)
        endings = {reason: Ending(status, reason) for reason in reasons.values()}
        self.endings |= {place: endings[reason] for place, reason in reasons.items()}

    def _without_near(self, ranked: list[int], pairs: Iterator[Block], near: float) -> list[int]:
        sieve = Duplicates(DedupConfig(inputs=("-",), out="-", near=near))
        found = zip(ranked, (ending for block in pairs for ending in sieve(block)), strict=True)
        reasons = {place: ending.reason for place, ending in found if ending.status == DUPLICATE}
        self._take(f"--near {near:g}", "duplicate", reasons)
        return [place for place in ranked if place not in reasons]

    def _capped(self, ranked: list[int], column: str, most: int) -> list[int]:
        flag, seen = f"--max_per {column}:{most}", Counter[str]()
        kept, reasons = [], {}
        for place in ranked:
            value = self._labels[column][place]
            seen[value] += 1
            if seen[value] <= most:
                kept.append(place)
            else:
                reasons[place] = f"{most:,} pairs with `{column}` {value!r} rank before it: {flag}"
        self._take(flag, "over_cap", reasons)
        return kept

    def _mixed(self, ranked: Sequence[int]) -> list[int]:
        """As many pairs as there can be with the shares asked for: the first of each value."""
        column, wanted = self._config.mixture
        flag, rest = f"--shares {self._config.shares}", 1 - sum(wanted.values())
        kinds = [v if (v := self._labels[column][place]) in wanted else None for place in ranked]
        there = Counter(kinds)
        missing = next((value for value in wanted if not there[value]), None)
        if missing is not None:
            raise UsageError(f"{flag}: none of the remaining pairs has `{column}` {missing!r}")
        shares = wanted | ({None: rest} if rest > 1e-9 and there[None] else {})
        total = min(there[value] / share for value, share in shares.items())
        total = min(total, self._config.top or total)
        room = Counter({value: int(share * total + 1e-9) for value, share in shares.items()})
        kept, reasons = [], {}
        for place, kind in zip(ranked, kinds, strict=True):
            room[kind] -= 1
            if room[kind] >= 0:
                kept.append(place)
            else:
                value = self._labels[column][place]
                reasons[place] = f"its share of pairs with `{column}` {value!r} is full: {flag}"
        self._take(flag, "over_share", reasons)
        return kept

    def _spend(self, ranked: Sequence[int], tokens_P: Floats, budget: int) -> None:
        """Take pairs as long as their tokens fit; what comes after the first that does not is dropped."""
        flag = f"--budget_tokens {budget}"
        spent = np.cumsum(tokens_P[ranked])
        over = [place for place, total in zip(ranked, spent, strict=True) if not total <= budget]
        reason = f"the pairs that rank before it and its own tokens are more than {budget:,}: {flag}"
        self._take(flag, "over_budget", dict.fromkeys(over, reason))
