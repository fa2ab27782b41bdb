"""How far people agree who labelled the same pairs: shares, Cohen's kappa, Krippendorff's alpha."""

import math
import warnings
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from pairwright.figures.intervals import Rate, wilson
from pairwright.people.decisions import Decision, Place

Labels = Mapping[str, Mapping[Place, str]]
"""What each person said of each pair: `chosen`, `rejected` or `tie`."""


class Two(NamedTuple):
    """Two people and the pairs that both labelled."""

    one: str
    other: str
    same: Rate
    """How often they said the same."""
    kappa: float | None
    """Cohen's: 0 is what chance gives, 1 always the same; None where both only ever said one thing."""


class Between(NamedTuple):
    """All who labelled."""

    people: int
    shared: int
    """Pairs that two or more labelled."""
    alpha: float | None
    """Krippendorff's, nominal: as kappa, for any number of people and pairs that only some labelled."""
    two: list[Two]
    """Every two who share a pair."""


def labels_of(decisions: Iterable[Decision]) -> dict[str, dict[Place, str]]:
    """Return what each person said first of each pair; both bad is a tie, and what was skipped is left
    out.
    """
    found: dict[str, dict[Place, str]] = {}
    for d in decisions:
        if not d.turned and d.kind != "skip":
            found.setdefault(d.who, {})[d.place] = "tie" if d.kind == "both_bad" else d.kind
    return found


def between(labels: Labels) -> Between:
    """Return the agreement of everybody with everybody."""
    people = sorted(labels)
    told: dict[Place, int] = {}
    for mine in labels.values():
        for place in mine:
            told[place] = told.get(place, 0) + 1
    shared = [place for place, count in told.items() if count > 1]
    two = [found for a, b in combinations(people, 2) if (found := _two(labels, a, b)).same.n]
    return Between(len(people), len(shared), _alpha(labels, shared), two)


def _two(labels: Labels, one: str, other: str) -> Two:
    both = [place for place in labels[one] if place in labels[other]]
    same = wilson(sum(labels[one][place] == labels[other][place] for place in both), len(both))
    said = [[labels[who][place] for place in both] for who in (one, other)]
    return Two(one, other, same, _kappa(*said))


def _kappa(one: list[str], other: list[str]) -> float | None:
    """Cohen 1960, doi 10.1177/001316446002000104."""
    if len(set(one) | set(other)) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(cohen_kappa_score(one, other))
    return value if math.isfinite(value) else None


def _alpha(labels: Labels, shared: list[Place]) -> float | None:
    """Krippendorff 2011, https://repository.upenn.edu/asc_papers/43; of pairs that two or more labelled."""
    if len({mine[place] for mine in labels.values() for place in shared if place in mine}) < 2:
        return None
    import krippendorff

    table: list[list[Any]] = [[mine.get(place, math.nan) for place in shared] for mine in labels.values()]
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"))


def in_words(found: Between) -> list[str]:
    """Return a line for every two, and one for all."""
    lines = [
        f"{two.one} and {two.other}: {_percent(two.same.value)} the same ({_percent(two.same.low)} to "
        f"{_percent(two.same.high)}, {two.same.n:,} pairs), Cohen's kappa {_number(two.kappa)}"
        for two in found.two
    ]
    if found.two:
        lines.append(
            f"{found.people} people, {found.shared:,} pairs shared: Krippendorff's alpha "
            f"{_number(found.alpha)}"
        )
    return lines


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "undefined (everybody always said the same)" if value is None else f"{value:.2f}"
