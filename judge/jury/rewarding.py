"""The protocol of judges that score each answer by itself: reward models, functions, checks."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from judge.jury.config import Judge, JuryConfig
from judge.jury.protocol import Case
from judge.jury.verdict import Vote
from pairwright.stages.asking import Asking
from pairwright.stages.verifying import Said, asked_of_function, asked_of_reward_model, read_score


class Rewarding:
    """Asks for the score of every answer. There is no order, and nothing to read."""

    pointwise = True
    templates: Mapping[str, str] = MappingProxyType({})

    def __init__(self, config: JuryConfig, judges: Sequence[Judge]) -> None:
        """Nothing is asked in words."""

    def votes(self, judge: Judge, case: Case, pairs: Sequence[tuple[int, int]]) -> Asking[list[list[Vote]]]:
        """Find one vote on each pair."""
        numbers = sorted({number for pair in pairs for number in pair})
        if judge.protocol == "function":
            requests = [
                asked_of_function(judge.role, case.messages, case.texts[n], case.columns) for n in numbers
            ]
        else:
            requests = [
                asked_of_reward_model(judge.role, case.messages, case.texts[n], case.occurrence)
                for n in numbers
            ]
        completions = yield requests
        said = {n: read_score(c) for n, c in zip(numbers, completions, strict=True)}
        return [[_vote(judge, said[a], said[b])] for a, b in pairs]


def _vote(judge: Judge, a: Said, b: Said) -> Vote:
    """A vote on (a, b) from the scores of both.

    By a reward model r, P(a is better) = sigmoid(r(a) - r(b)), after Bradley and Terry. By a function f,
    whose scores are no log-odds, it is (1 + f(a) - f(b)) / 2, between 0 and 1: the margin is |f(a) - f(b)|.
    """
    words = f"{a.feedback} | {b.feedback}" if a.feedback or b.feedback else ""
    vote = Vote(judge.spec, None, "", None, scores=(a.score, b.score), reply=words)
    if a.score is None or b.score is None:
        return vote
    difference = a.score - b.score
    if judge.protocol == "reward":
        return vote._replace(probability=0.5 * (1 + math.tanh(difference / 2)))
    return vote._replace(probability=(1 + min(1.0, max(-1.0, difference))) / 2)
