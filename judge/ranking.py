"""Which candidates are compared, and which come out best and worst."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import ceil, log2
from typing import NamedTuple, TypeAlias

from judge.jury.verdict import Decision
from pairwright.stages.asking import Asking

ROUND_ROBIN = 4
"""Most candidates that are compared all with all; more play the rounds of a Swiss tournament."""

Match: TypeAlias = tuple[int, int]
Meet: TypeAlias = Callable[[Sequence[Match]], Asking[list[Decision]]]


class Ranking(NamedTuple):
    """Every meeting, and the candidates who came out first and last; they have met."""

    met: dict[Match, Decision]
    best: int
    worst: int


def rank(count: int, meet: Meet, *, everybody: bool) -> Asking[Ranking]:
    """Compare candidates 0 … `count` - 1: all pairs, or K/2 pairs in each of ceil(log2 K) + 1 rounds.

    A Swiss round pairs neighbours in the standing who have not met. Best and worst meet at the end
    if they have not: a pair is never made of answers that no judge saw side by side.
    """
    met: dict[Match, Decision] = {}
    if everybody or count <= ROUND_ROBIN:
        rounds = [list(combinations(range(count), 2))]
        met.update(zip(rounds[0], (yield from meet(rounds[0])), strict=True))
    else:
        for _ in range(ceil(log2(count)) + 1):
            pairs = swiss_pairs(standing(count, met), met)
            met.update(zip(pairs, (yield from meet(pairs)), strict=True))
    order = standing(count, met)
    best, worst = order[0], order[-1]
    last = _sorted(best, worst)
    if last not in met:
        [met[last]] = yield from meet([last])
    return Ranking(met, best, worst)


def standing(count: int, met: Mapping[Match, Decision]) -> list[int]:
    """Return candidates from best to worst by the mean probability of being better in what they met.

    Meetings without a verdict do not count; who has none stands at 1/2; equals keep their order.
    """
    points: dict[int, list[float]] = {n: [] for n in range(count)}
    for (a, b), decision in met.items():
        if decision.preference is not None:
            points[a].append(decision.preference)
            points[b].append(1 - decision.preference)
    means = {n: sum(p) / len(p) if p else 0.5 for n, p in points.items()}
    return sorted(range(count), key=lambda n: (-means[n], n))


def swiss_pairs(order: Sequence[int], met: Mapping[Match, Decision]) -> list[Match]:
    """Pair each candidate with the next one in the standing whom it has not met; who finds none rests."""
    waiting = list(order)
    pairs = []
    while waiting:
        one = waiting.pop(0)
        other = next((n for n in waiting if _sorted(one, n) not in met), None)
        if other is not None:
            waiting.remove(other)
            pairs.append(_sorted(one, other))
    return pairs


def _sorted(a: int, b: int) -> Match:
    return (a, b) if a < b else (b, a)
