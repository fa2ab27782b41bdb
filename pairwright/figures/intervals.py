"""Shares and means with their intervals."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""


class Rate(NamedTuple):
    """A share and its 95 % Wilson interval."""

    value: float | None
    """None when there was nothing to count."""
    low: float
    high: float
    n: int


def wilson(points: float, n: int) -> Rate:
    """Share of `points` in `n` and its score interval (Wilson 1927, doi 10.1080/01621459.1927.10502953):

    (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).

    Points may be halves; the interval is then wider than it need be, never narrower.
    """
    if n == 0:
        return Rate(None, 0.0, 1.0, 0)
    p = points / n
    centre = p + Z * Z / (2 * n)
    spread = Z * math.sqrt(max(0.0, p * (1 - p)) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    return Rate(p, max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale), n)


def share(points: Iterable[float]) -> Rate:
    """The mean of points between 0 and 1, as a rate."""
    found = list(points)
    return wilson(sum(found), len(found))


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval by the normal approximation; the whole line for fewer than two."""
    n = len(values)
    if n < 2:
        return (values[0] if values else 0.0), -math.inf, math.inf
    mean = sum(values) / n
    variance = sum((v - mean) ** 2 for v in values) / (n - 1)
    half = Z * math.sqrt(variance / n)
    return mean, mean - half, mean + half


class Interval(NamedTuple):
    """A number between its 2.5 % and 97.5 % quantiles over bootstrap samples of the prompts."""

    value: float
    low: float
    high: float


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact probability of so uneven a count, were either side as likely to win; no ties."""
    n = wins + losses
    tail: int = sum(math.comb(n, k) for k in range(min(wins, losses) + 1))
    return min(1.0, float(2 * tail / 2**n))
