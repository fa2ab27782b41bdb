"""Shares, means and other numbers with their intervals.

P  observations, such as prompts    B  bootstrap samples
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""
_AT_ONCE = 256
"""Bootstrap samples that are in memory together: P may be large."""


class Rate(NamedTuple):
    """A share and its 95 % Wilson interval."""

    value: float | None
    """None when there was nothing to count."""
    low: float
    high: float
    n: int


class Interval(NamedTuple):
    """A number between its 2.5 % and 97.5 % quantiles over bootstrap samples of the prompts."""

    value: float
    low: float
    high: float


def wilson(points: float, n: int) -> Rate:
    """Return points / n and its score interval (Wilson 1927, doi 10.1080/01621459.1927.10502953):

    (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).

    Points may be halves, which `scipy.stats.binomtest` does not take; the interval is then wider than
    it need be, never narrower.
    """
    if n == 0:
        return Rate(None, 0.0, 1.0, 0)
    p = points / n
    centre = p + Z * Z / (2 * n)
    spread = Z * math.sqrt(max(0.0, p * (1 - p)) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return Rate(p, max(0.0, min(p, low)), min(1.0, max(p, high)), n)  # the last bits at p of 0 or 1


def share(points: Iterable[float]) -> Rate:
    """Return the mean of points between 0 and 1, as a rate."""
    found = list(points)
    return wilson(sum(found), len(found))


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and its normal 95 % interval, which is infinite for fewer than two values."""
    n = len(values)
    if n < 2:
        return (values[0] if values else 0.0), -math.inf, math.inf
    mean = sum(values) / n
    variance = sum((v - mean) ** 2 for v in values) / (n - 1)
    half = Z * math.sqrt(variance / n)
    return mean, mean - half, mean + half


def bootstrap(
    data: Sequence[Any], statistic: Callable[..., Any], samples: int, seed: int
) -> list[Interval]:
    """Return bootstrap intervals of statistics of paired observations, by resampling the pairs.

    `data` are vectors (P,). `statistic(*data, axis=-1)` takes them, or arrays (B, P), and returns the
    numbers along its first axis, (numbers, B).
    """
    import numpy as np
    from scipy import stats

    values = statistic(*data, axis=-1)
    if len(data[0]) < 2:  # there is nothing to draw
        return [Interval(*[float(value)] * 3) for value in values]
    found = stats.bootstrap(
        data,
        statistic,
        n_resamples=samples,
        batch=_AT_ONCE,
        paired=True,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    ends = np.quantile(found.bootstrap_distribution, [0.025, 0.975], axis=-1).T
    return [
        Interval(float(value), float(low), float(high))
        for value, (low, high) in zip(values, ends, strict=True)
    ]


def sign_test(wins: int, losses: int) -> float:
    """Return the p-value of the two-sided exact sign test, in which ties are not counted.

    It is the probability of a count at least as uneven if either side were as likely to win.
    """
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
