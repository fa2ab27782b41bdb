"""Agreement of people who saw the same pairs: shares, Cohen's kappa, Krippendorff's alpha."""

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from pairwright.figures.intervals import Interval, Rate, bootstrap, wilson
from pairwright.people.decisions import Decision, Place

Labels = Mapping[str, Mapping[Place, str]]
"""What each person said of each pair: `chosen`, `rejected` or `tie`; in a review, what they decided."""
_DRAWS = 1000
"""Bootstrap samples of the pairs that people share, behind each interval of 95 %."""


class Two(NamedTuple):
    """The agreement of two people on the pairs that both labelled."""

    one: str
    other: str
    same: Rate
    """How often they said the same."""
    kappa: Interval | None
    """Cohen's: 0 is what chance gives, 1 always the same; None where both only ever said one thing."""


class Between(NamedTuple):
    """The agreement of all people who labelled."""

    people: int
    shared: int
    """Pairs that two or more labelled."""
    alpha: Interval | None
    """Krippendorff's, nominal: as kappa, for any number of people and pairs that only some labelled."""
    two: list[Two]
    """Every two who share a pair."""


def labels_of(decisions: Iterable[Decision]) -> dict[str, dict[Place, str]]:
    """Return each person's first label of each pair; both bad is a tie, skipped pairs are left out."""
    found: dict[str, dict[Place, str]] = {}
    for d in decisions:
        if not d.turned and d.kind != "skip":
            found.setdefault(d.who, {})[d.place] = "tie" if d.kind == "both_bad" else d.kind
    return found


def load_libraries() -> None:
    """Import the libraries of the numbers, which is slow the first time."""
    import krippendorff  # noqa: F401
    import sklearn.metrics  # noqa: F401


def decisions_of(decisions: Iterable[Decision]) -> dict[str, dict[Place, str]]:
    """Return each person's last decision on each row."""
    found: dict[str, dict[Place, str]] = {}
    for d in decisions:
        found.setdefault(d.who, {})[d.place] = d.kind
    return found


def contested(labels: Labels) -> set[Place]:
    """Return the rows on which people disagree."""
    said: dict[Place, set[str]] = {}
    for mine in labels.values():
        for place, kind in mine.items():
            said.setdefault(place, set()).add(kind)
    return {place for place, kinds in said.items() if len(kinds) > 1}


def between(labels: Labels) -> Between:
    """Return the agreement of all people with each other."""
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


def _kappa(one: list[str], other: list[str]) -> Interval | None:
    """Cohen 1960, doi 10.1177/001316446002000104."""
    kinds = sorted({*one, *other})
    if len(kinds) < 2:
        return None
    import numpy as np
    from sklearn.metrics import cohen_kappa_score

    first, second = (np.array([[said == kind for said in many] for kind in kinds]) for many in (one, other))
    same = (first & second).any(axis=0)

    def drawn(*data: Any, axis: int) -> Any:
        n, agree, *by_kind = (np.sum(vector, axis=axis, dtype=float) for vector in data)
        ones, others = by_kind[: len(kinds)], by_kind[len(kinds) :]
        chance = sum(a * b for a, b in zip(ones, others, strict=True)) / n
        return [_share(agree - chance, n - chance)]

    [found] = bootstrap([np.ones(len(one)), same, *first, *second], drawn, _DRAWS, seed=0)
    return found._replace(value=float(cohen_kappa_score(one, other)))


def _alpha(labels: Labels, shared: list[Place]) -> Interval | None:
    """Krippendorff 2011, https://repository.upenn.edu/asc_papers/43; of pairs that two or more labelled.

    For the interval pairs are drawn: with n_c values of kind c, and of each pair of m values the share of
    agreeing couples, sum_c n_uc (n_uc - 1)/(m - 1), alpha = 1 - (n - 1) (n - agreeing) / (n² - sum n_c²).
    """
    kinds = sorted({mine[place] for mine in labels.values() for place in shared if place in mine})
    if len(kinds) < 2:
        return None
    import krippendorff
    import numpy as np

    said = [[mine[place] for mine in labels.values() if place in mine] for place in shared]
    counts = np.array([[many.count(kind) for many in said] for kind in kinds], dtype=float)
    agreeing = (counts * (counts - 1)).sum(axis=0) / (counts.sum(axis=0) - 1)

    def drawn(*data: Any, axis: int) -> Any:
        agree, *by_kind = (np.sum(vector, axis=axis, dtype=float) for vector in data)
        n = sum(by_kind)
        return [1 - _share((n - 1) * (n - agree), n * n - sum(c * c for c in by_kind), empty=0.0)]

    [found] = bootstrap([agreeing, *counts], drawn, _DRAWS, seed=0)
    table: list[list[Any]] = [[mine.get(place, math.nan) for place in shared] for mine in labels.values()]
    value = krippendorff.alpha(reliability_data=table, level_of_measurement="nominal")
    return found._replace(value=float(value))


def _share(part: Any, whole: Any, empty: float = 1.0) -> Any:
    """Quotients; `empty` where nothing is divided by nothing, as where everybody said one thing."""
    import numpy as np

    return np.divide(part, whole, out=np.full_like(np.asarray(whole, float), empty), where=whole != 0)


def in_words(found: Between) -> list[str]:
    """Return a line for every two people, and one for all."""
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


def _number(found: Interval | None) -> str:
    if found is None:
        return "undefined (everybody always said the same)"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
