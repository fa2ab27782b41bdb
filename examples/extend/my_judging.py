"""A way to judge of your own: `pairwright judge … --protocol examples/extend/my_judging.py:Approving`."""

from typing import ClassVar

from judge.jury.protocol import request
from judge.jury.verdict import Vote
from pairwright.records import Message


class Approving:
    """Ask of each answer by itself whether it is right; one that is beats one that is not."""

    pointwise = True
    templates: ClassVar[dict[str, str]] = {}

    def __init__(self, config, judges):
        """Nothing to read."""

    def votes(self, judge, case, pairs):
        """Votes on pairs of answers, given by their numbers: probabilities that the first is better."""
        numbers = sorted({number for pair in pairs for number in pair})
        texts = [f"{case.prompt}\n\n{case.texts[n]}\n\nIs this right? Say yes or no." for n in numbers]
        asked = [(Message(role="user", content=text),) for text in texts]
        replies = yield [request(judge, case, messages, 4, choices=("yes", "no")) for messages in asked]
        right = {n: float(reply.text.strip() == "yes") for n, reply in zip(numbers, replies, strict=True)}
        return [[Vote(judge.spec, None, "", (1 + right[a] - right[b]) / 2)] for a, b in pairs]
