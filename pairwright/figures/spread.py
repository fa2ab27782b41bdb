"""The distribution of a number over rows: quantiles, and a histogram over fixed bins."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pairwright.records import Record

if TYPE_CHECKING:
    import numpy as np


class Bins(NamedTuple):
    """Equal bins from `low` to `high`; the end ones also hold what lies beyond."""

    low: float
    high: float
    number: int = 20

    @property
    def edges(self) -> list[float]:
        """Borders of the bins, one more than there are bins."""
        step = (self.high - self.low) / self.number
        return [self.low + i * step for i in range(self.number + 1)]


BINS: Mapping[str, Bins] = MappingProxyType(
    {
        "edit_distance": Bins(0, 1),
        "kept_share": Bins(0, 1),
        "length_ratio": Bins(0, 2),
        "margin": Bins(0, 1),
        "preference": Bins(0, 1),
        "jaccard": Bins(0, 1),
        "token_levenshtein": Bins(0, 200),
        "common_prefix": Bins(0, 100),
        "score": Bins(-5, 5),
        "answer_score": Bins(0, 1),
        "revision_score": Bins(0, 1),
        "completion_tokens": Bins(0, 1000),
    }
)
"""Measures with a histogram. Fixed, so that histograms of two runs can stand side by side."""


class Spread(Record):
    """A number over rows."""

    rows: int
    """Rows that have it."""
    mean: float
    p10: float
    median: float
    p90: float
    edges: tuple[float, ...]
    """Borders of the bins; the end ones also hold what lies beyond."""
    bins: tuple[int, ...]
    """Rows in each bin."""


def spread_of(name: str, values: "np.ndarray") -> Spread | None:
    """Return the spread of the finite ones of a column's numbers, (N,); None when there are none."""
    return spread_over(BINS[name], values)


def bins_for(values: "np.ndarray") -> Bins:
    """Return bins for numbers (N,) of unknown size: over all but the outermost hundredth at either end."""
    import numpy as np

    low, high = (float(q) for q in np.quantile(values, (0.01, 0.99)))
    return Bins(low, high) if high > low else Bins(low - 0.5, low + 0.5)


def spread_over(bins: Bins, values: "np.ndarray") -> Spread | None:
    """Return the spread of the finite ones of numbers, (N,), over bins; None when there are none."""
    import numpy as np

    values = values[np.isfinite(values)]
    if not len(values):
        return None
    width = (bins.high - bins.low) / bins.number
    # A share such as 0.15 must not fall below its own border by the last bit of a division.
    places = np.floor((values - bins.low) / width + 1e-9).clip(0, bins.number - 1).astype(np.int64)
    p10, median, p90 = (float(q) for q in np.quantile(values, (0.1, 0.5, 0.9)))
    return Spread(
        rows=len(values),
        mean=float(values.mean()),
        p10=p10,
        median=median,
        p90=p90,
        edges=tuple(bins.edges),
        bins=tuple(np.bincount(places, minlength=bins.number).tolist()),
    )


def shares(bins: Sequence[int]) -> list[float]:
    """Return each bin as a share of all, so that runs of different size compare."""
    total = sum(bins)
    return [n / total if total else 0.0 for n in bins]
