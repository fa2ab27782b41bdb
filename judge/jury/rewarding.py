"""The protocol of reward models, which give each answer a number of its own."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from judge.jury.config import Judge, JuryConfig
from judge.jury.protocol import Case, request
from judge.jury.verdict import Vote
from pairwright.records import Message
from pairwright.stages.asking import Asking


class Rewarding:
    """Asks for the reward of every answer. There is no order, and nothing to read."""

    pointwise = True
    templates: Mapping[str, str] = MappingProxyType({})

    def __init__(self, config: JuryConfig, judges: Sequence[Judge]) -> None:
        """Nothing is asked in words."""

    def votes(self, judge: Judge, case: Case, pairs: Sequence[tuple[int, int]]) -> Asking[list[list[Vote]]]:
        """One vote on each pair by Bradley and Terry: P(a is better) = sigmoid(r(a) - r(b))."""
        numbers = sorted({number for pair in pairs for number in pair})
        completions = yield [
            request(judge, case, (*case.messages, Message(role="assistant", content=case.texts[number])), 1)
            for number in numbers
        ]
        rewards = {n: float(c.text) for n, c in zip(numbers, completions, strict=True)}
        return [
            [
                Vote(
                    judge.spec,
                    None,
                    "",
                    _sigmoid(rewards[a] - rewards[b]),
                    scores=(rewards[a], rewards[b]),
                )
            ]
            for a, b in pairs
        ]


def _sigmoid(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))
