"""Protocol `rank`: all answers in one question, in several orders."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from judge.jury.config import TOP, Judge, JuryConfig
from judge.jury.labels import LETTERS, draw_letters
from judge.jury.protocol import Case, loaded, rendered, request
from judge.jury.readout import MARKUP, foreign_token, label_masses, most_unreported
from judge.jury.verdict import Vote
from pairwright.errors import PairwrightError
from pairwright.records import Completion, Message
from pairwright.stages.asking import Asking

VARIABLES = ("prompt", "responses", "nonce", "labels", "reads_logprobs", "rubric", "row")
"""What a template is given; `responses` are pairs of a label and a text."""
_RANKING = re.compile(r"(?i:ranking)[\s*_]*:[\s*_]*([A-Z](?:\s*>\s*[A-Z])+)[\s*_]*\.?")


class Listing:
    """Shows a judge all answers at once and asks which is the best, or for their order.

    Each order is also shown turned round, so that of any two answers either stands first equally often; the
    places carry the same letters in all orders. From the probabilities of the letters as the first token,
    P(a is better than b) = P(a) / (P(a) + P(b)) (Luce 1959, the choice axiom); a written order says 1 or 0.
    """

    pointwise = True

    def __init__(self, config: JuryConfig, judges: Sequence[Judge]) -> None:
        self._config = config
        self._template = loaded(
            config.judge_template or "judge_rank",
            VARIABLES,
            shows=("responses",),
            rubric=bool(config.rubric),
        )
        self.columns = self._template.columns
        self.templates: Mapping[str, str] = {self._template.name: self._template.text}
        self._request = partial(request, template=self._template.hash)

    def votes(self, judge: Judge, case: Case, pairs: Sequence[tuple[int, int]]) -> Asking[list[list[Vote]]]:
        """Find a vote on every pair in each order in which the answers were shown."""
        numbers = sorted({number for pair in pairs for number in pair})
        if len(numbers) > len(LETTERS):
            raise PairwrightError(
                f"--protocol rank: {len(numbers)} answers to a prompt, and {len(LETTERS)} letters "
                "for them; judge fewer, or with --protocol score"
            )
        labels = draw_letters(len(numbers), case.row_id, judge.role, *sorted(case.texts))
        orders = orders_of(numbers)
        tokens, top = (1, TOP) if judge.logprobs else (self._config.reasoning_tokens, 0)
        completions = yield [
            self._request(judge, case, self._messages(judge, case, order, labels), tokens, top)
            for order in orders
        ]
        read = [self._read(judge, case, c, labels) for c in completions]
        return [
            [
                _vote(judge, order, shares, completion, labels, pair)
                for order, shares, completion in zip(orders, read, completions, strict=True)
            ]
            for pair in pairs
        ]

    def _messages(
        self, judge: Judge, case: Case, order: Sequence[int], labels: Sequence[str]
    ) -> tuple[Message, ...]:
        responses = [(label, case.texts[n]) for label, n in zip(labels, order, strict=True)]
        shown = {**case.shown, "responses": responses, "labels": list(labels), "nonce": case.nonce}
        return rendered(self._template, **shown, reads_logprobs=bool(judge.logprobs))

    def _read(
        self, judge: Judge, case: Case, completion: Completion, labels: Sequence[str]
    ) -> list[float] | None:
        """How good the answer at each place is found, in any unit; None for what cannot be read."""
        if not judge.logprobs:
            return read_ranking(completion, labels, (case.prompt, *case.texts))
        if not completion.top_logprobs:
            if completion.text.strip() or completion.reasoning is not None:
                raise PairwrightError(
                    f"{judge.spec} gives no log-probabilities of its answer, which --protocol rank reads; "
                    "judge with --protocol text, or choice"
                )
            return None
        masses = label_masses(completion, labels)
        if sum(masses) == 0 or sum(masses) < self._config.min_label_mass:
            return None
        most = most_unreported(completion)
        return [mass or most for mass in masses]


def orders_of(numbers: Sequence[int]) -> list[list[int]]:
    """Return half of the rotations, each followed by the same turned round; for two, both orders."""
    count = len(numbers)
    found = []
    for start in range(0, count, 2):
        rotated = [*numbers[start:], *numbers[:start]]
        found += [rotated, rotated[::-1]]
    return found


def read_ranking(
    completion: Completion, labels: Sequence[str], quoted: Iterable[str]
) -> list[float] | None:
    """Read the last line that ranks all labels; the best label has the most points.

    Lines that stand in one of the `quoted` texts say nothing.
    """
    if completion.finish_reason != "stop":
        return None
    echoes = {line.strip(MARKUP) for text in quoted for line in text.splitlines()}
    lines = (line.strip(MARKUP) for line in completion.text.splitlines())
    found = [_RANKING.fullmatch(line) for line in lines if line not in echoes]
    ranked = [re.findall(r"[A-Z]", match[1]) for match in found if match]
    if not ranked or sorted(ranked[-1]) != sorted(labels):
        return None
    return [float(len(labels) - ranked[-1].index(label)) for label in labels]


def _vote(
    judge: Judge,
    order: Sequence[int],
    shares: Sequence[float] | None,
    completion: Completion,
    labels: Sequence[str],
    pair: tuple[int, int],
) -> Vote:
    """What one order says of two of the answers."""
    a, b = (order.index(number) for number in pair)
    vote = Vote(judge.spec, a < b, "", None, reply=completion.text, problem=foreign_token(completion))
    if shares is None:
        return vote
    of_a, of_b = shares[a], shares[b]
    probability = of_a / (of_a + of_b) if judge.logprobs else float(of_a > of_b)
    return vote._replace(label=labels[a if of_a > of_b else b], probability=probability)
