"""Figures of judges over all rows of a run: swap consistency, first position, probabilities.

Summed by polars, for runs of any size; used for the figures of a run and the calibration of a judge.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pairwright.records import Record

if TYPE_CHECKING:
    import polars as pl

CONFIDENCE_BINS = 10
EVEN = 1e-9
"""A probability nearer to 1/2 than this favours neither side."""


class Confidence(Record):
    """The verdicts with a confidence in one bin of [1/2, 1]."""

    rows: int
    confidence: float
    """Mean of max(p, 1 - p)."""
    accuracy: float
    """Share that favours the side called chosen; an even one counts half."""


class Verdicts(Record):
    """Verdicts over all judged rows, read from both orders."""

    rows: int
    """Rows with a verdict that could be read."""
    unparsed: int
    """Rows that were judged and gave none."""
    ordered: int
    """Rows with verdicts that have an order; ratings have none."""
    consistent: float | None
    """Swap consistency: share of ordered rows where both orders favour the same answer."""
    first_position: float | None
    """How often the answer that stands first is preferred; 1/2 is fair."""
    outside_mass: float | None
    """Mean probability of anything but a label as the judge's first token."""
    chosen_preferred: float | None
    """Share of verdicts for the side called chosen; where that is people's choice, the agreement."""
    bins: tuple[Confidence | None, ...]
    """For a reliability diagram; None where a bin is empty."""
    calibration_error: float | None
    """ECE over these bins; see `calibration_error`."""


def verdict_expressions() -> list["pl.Expr"]:
    """Return expressions of sums over rows, which `added_up` adds up over the parts of a run."""
    import polars as pl

    p = pl.col("verdict").struct.field("preference")
    votes = pl.col("verdict").struct.field("votes")
    one = pl.element().struct.field
    ordered = one("probability").is_not_null() & one("chosen_first").is_not_null()
    for_first = pl.when(one("chosen_first")).then(one("probability")).otherwise(1 - one("probability"))
    first = votes.list.eval(_point(pl.when(ordered).then(for_first))).list.mean()
    first = pl.when(p.is_not_null()).then(first)
    masses = votes.list.eval(one("outside_mass"))
    confidence = pl.max_horizontal(p, 1 - p)
    place = ((confidence - 0.5) * 2 * CONFIDENCE_BINS).floor().clip(0, CONFIDENCE_BINS - 1)
    sums = {
        "rows": p.count(),
        "unparsed": (p.is_null() & (votes.list.len() > 0)).sum(),
        "ordered": first.count(),
        "consistent": (pl.col("verdict").struct.field("consistent") & first.is_not_null()).sum(),
        "first": first.sum(),
        "mass": masses.list.sum().sum(),
        "masses": masses.list.drop_nulls().list.len().sum(),
        "points": _point(p).sum(),
    }
    for i in range(CONFIDENCE_BINS):
        sums[f"bin {i} rows"] = (place == i).sum()
        sums[f"bin {i} confidence"] = confidence.filter(place == i).sum()
        sums[f"bin {i} points"] = _point(p).filter(place == i).sum()
    return [expression.alias(name) for name, expression in sums.items()]


def added_up(parts: Iterable[Mapping[str, float | None]]) -> dict[str, float]:
    """Return the sums of all parts of a run, by name; 0 for names that no part has."""
    total: dict[str, float] = defaultdict(float)
    for part in parts:
        for name, value in part.items():
            total[name] += value or 0.0
    return total


def verdicts_of(total: Mapping[str, float]) -> Verdicts | None:
    """Return the verdicts from sums over rows; None when nothing was judged."""
    if not total["rows"] + total["unparsed"]:
        return None
    bins = tuple(_bin(total, i) for i in range(CONFIDENCE_BINS))
    return Verdicts(
        rows=int(total["rows"]),
        unparsed=int(total["unparsed"]),
        ordered=int(total["ordered"]),
        consistent=_share(total["consistent"], total["ordered"]),
        first_position=_share(total["first"], total["ordered"]),
        outside_mass=_share(total["mass"], total["masses"]),
        chosen_preferred=_share(total["points"], total["rows"]),
        bins=bins,
        calibration_error=calibration_error(total),
    )


def calibration_error(total: Mapping[str, float]) -> float | None:
    """Return the expected calibration error of the preferred side (Guo et al. 2017, arXiv 1706.04599).

    Confidence max(p, 1 - p) lies in [1/2, 1], cut into bins of equal width. By equation 3, ECE = sum over
    bins of (n_b / n) |accuracy_b - mean confidence_b|.
    """
    bins = [b for i in range(CONFIDENCE_BINS) if (b := _bin(total, i)) is not None]
    return _share(sum(b.rows * abs(b.accuracy - b.confidence) for b in bins), total["rows"])


def _bin(total: Mapping[str, float], i: int) -> Confidence | None:
    rows, confidence, points = (total[f"bin {i} {name}"] for name in ("rows", "confidence", "points"))
    if not rows:
        return None
    return Confidence(rows=int(rows), confidence=confidence / rows, accuracy=points / rows)


def _point(p: "pl.Expr") -> "pl.Expr":
    """1 above one half, 0 below, 1/2 at it, null where there is none."""
    import polars as pl

    even = (p - 0.5).abs() < EVEN
    return pl.when(p.is_null()).then(None).when(even).then(0.5).otherwise((p > 0.5).cast(pl.Float64))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
