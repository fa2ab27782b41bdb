"""How good a judge is, as numbers with intervals.

Where a pair has two verdicts (one an order) it still counts once, with the mean of both: they are
not independent, and counting them twice would make the intervals too narrow.
"""

from collections.abc import Sequence

from judge.jury.verdict import side
from pairwright.figures.intervals import Rate, mean_interval, share


def kappa(agreement: Rate) -> tuple[float, float, float] | None:
    """Return Cohen's kappa (1960, doi 10.1177/001316446002000104): (p - p_e) / (1 - p_e) with p_e = 1/2.

    Every pair is asked about in both orders, so each label comes first equally often for the people
    and for the judge, and chance agrees on half.
    """
    if agreement.value is None:
        return None
    value, low, high = (2 * p - 1 for p in (agreement.value, agreement.low, agreement.high))
    return value, low, high


def point(probability: float) -> float:
    """Return 1 for the right side, 0 for the wrong one, 1/2 for neither."""
    return 0.5 + side(probability) / 2


def plain_verdict(judge: Sequence[float], length: Sequence[float]) -> str:
    """Sum up in words the judge's points and those of the longer answer, pair by pair."""
    if not judge:
        return "no verdict could be read"
    rate = share(judge)
    assert rate.value is not None
    if rate.high < 0.5:
        return "worse than chance"
    if rate.low <= 0.5:
        return "no better than chance" + (_beside_length(judge, length))
    _, low, high = mean_interval([j - b for j, b in zip(judge, length, strict=True)])
    if high < 0:
        return "better than chance, and worse than length"
    return "better than length" if low > 0 else "no better than length"


def _beside_length(judge: Sequence[float], length: Sequence[float]) -> str:
    _, low, _ = mean_interval([j - b for j, b in zip(judge, length, strict=True)])
    return "" if low > 0 else ", and no better than length"
