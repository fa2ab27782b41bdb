"""Rules about a pair's own measures: what each keeps, and its reason for dropping the rest.

P  pairs
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pairwright.errors import UsageError
from pairwright.records import Ending
from train.selection.config import SelectConfig
from train.selection.measures import Floats

DESCENDING = ":desc"
"""What an order ends in that has the greatest first."""


class Band(NamedTuple):
    """A rule that keeps pairs whose measure is between two limits, those included."""

    flag: str
    """The setting, with its value."""
    status: str
    """Of the pairs that it takes away."""
    column: str
    low: float = -np.inf
    high: float = np.inf

    @property
    def limit(self) -> float:
        """The limit that is one."""
        return self.high if np.isfinite(self.high) else self.low

    def takes(self, values_P: Floats) -> np.ndarray:
        """Return which pairs it drops (P,), unmeasured ones included."""
        return ~((values_P >= self.low) & (values_P <= self.high))

    def reason(self, value: float) -> str:
        """Return why a pair with this value is dropped."""
        if np.isnan(value):
            return f"it has no `{self.column}`, and {self.flag} goes by it"
        limit = f"below {self.low:.6g}" if value < self.low else f"above {self.high:.6g}"
        return f"`{self.column}` {value:.6g} is {limit}: {self.flag}"


class Wanted(NamedTuple):
    """A rule as the settings have it, before its limits are known."""

    setting: str
    status: str
    column: Callable[[SelectConfig], str]
    limit: str
    """`low` or `high`."""
    quantile: bool


BANDS = (
    Wanted("max_ches_quantile", "high_ches", lambda c: ches_column(c), "high", True),
    Wanted("min_implicit_quantile", "low_implicit_margin", lambda c: "implicit_margin", "low", True),
    Wanted("max_implicit_quantile", "high_implicit_margin", lambda c: "implicit_margin", "high", True),
    Wanted("min_dcrm_quantile", "low_dcrm", lambda c: "dcrm", "low", True),
    Wanted("min_margin", "low_margin", lambda c: "margin", "low", False),
    Wanted("max_margin", "high_margin", lambda c: "margin", "high", False),
    Wanted("max_margin_sd_quantile", "uncertain", lambda c: "margin_sd", "high", True),
    Wanted("max_length_difference", "length_difference", lambda c: "length_difference", "high", False),
)
"""In the order in which a pair that breaks several is said to break one."""


def column_of(order: str) -> str:
    """Return the measure or column that an order such as `margin` or `margin:desc` names."""
    return order.removesuffix(DESCENDING)


def ches_column(config: SelectConfig) -> str:
    """Return the measure that `--max_ches_quantile` limits."""
    return "ches_normalized" if config.ches == "normalized" else "ches"


def columns_wanted(config: SelectConfig) -> dict[str, str]:
    """Return the columns of numbers that the settings go by, each with the setting that wants it first."""
    found: dict[str, str] = {}
    for rule in BANDS:
        if getattr(config, rule.setting) is not None:
            found.setdefault(rule.column(config), f"--{rule.setting}")
    for setting in ("rank_by", "order_by"):
        if (name := getattr(config, setting)) is not None:
            found.setdefault(column_of(name), f"--{setting}")
    if config.budget_tokens is not None:
        found.setdefault("tokens", "--budget_tokens")
    return found


def bands(config: SelectConfig, numbers: Mapping[str, Floats]) -> Iterator[Band]:
    """Yield the given rules with their limits; quantiles are those of all pairs that were measured.

    Raises `UsageError` where no pair has the number that a rule goes by.
    """
    for rule in BANDS:
        value = getattr(config, rule.setting)
        if value is None:
            continue
        column = rule.column(config)
        values = numbers[column][~np.isnan(numbers[column])]
        if not len(values):
            raise UsageError(f"--{rule.setting}: no pair has a number in `{column}`")
        limit = float(np.quantile(values, value)) if rule.quantile else float(value)
        band = Band(f"--{rule.setting} {value:g}", rule.status, column)
        yield band._replace(low=limit) if rule.limit == "low" else band._replace(high=limit)


def endings_by_bands(
    given: Sequence[Band], numbers: Mapping[str, Floats], size: int
) -> tuple[list[Ending | None], dict[str, int]]:
    """Return the ending of each of `size` pairs by the first rule that it breaks, and each rule's count.

    A rule's count is what it would take as the only rule.
    """
    found: list[Ending | None] = [None] * size
    alone = {}
    for band in given:
        # Length differences have a sign, which says who is longer; rules go by their size.
        values_P = numbers[band.column]
        values_P = np.abs(values_P) if band.column == "length_difference" else values_P
        taken = np.flatnonzero(band.takes(values_P))
        alone[band.flag] = len(taken)
        for place in taken:
            if found[place] is None:
                found[place] = Ending(band.status, band.reason(float(values_P[place])))
    return found, alone
