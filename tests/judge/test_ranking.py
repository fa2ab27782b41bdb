"""Who meets whom, and the ends of a ranking."""

import math
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from judge.jury.verdict import Decision
from judge.ranking import rank, swiss_pairs
from pairwright.records import Completion, Request, conversation


def preferring(strength):
    """Meetings that the stronger candidate wins; counts them."""
    met = []

    def meet(pairs):
        yield [Request(role="judge", messages=conversation("?"))]
        met.extend(pairs)
        return [Decision("kept", "", 0.5 + (strength[a] - strength[b]) / 100, True, ()) for a, b in pairs]

    return meet, met


def silence(requests):
    return [Completion() for _ in requests]


def played(work, answer=silence):
    """The end of a conversation."""
    answers = None
    while True:
        try:
            answers = answer(work.send(answers))
        except StopIteration as stop:
            return stop.value


@given(st.permutations(range(12)), st.integers(2, 12), st.booleans())
def test_rankings_find_the_ends_with_few_meetings(strength, count, everybody):
    meet, met = preferring(strength)
    found = played(rank(count, meet, everybody=everybody))
    assert found.best != found.worst
    assert len(met) == len(set(met)) == len(found.met)
    assert all(a < b for a, b in met)
    assert (min(found.best, found.worst), max(found.best, found.worst)) in found.met
    if everybody or count <= 4:
        assert set(met) == set(combinations(range(count), 2))
        ranks = sorted(range(count), key=lambda n: -strength[n])
        assert (found.best, found.worst) == (ranks[0], ranks[-1])
    else:
        assert len(met) <= count // 2 * (math.ceil(math.log2(count)) + 1) + 1


def test_nobody_meets_twice_in_swiss_rounds():
    met = {(0, 1): None, (2, 3): None}
    assert swiss_pairs([0, 1, 2, 3], met) == [(0, 2), (1, 3)]
