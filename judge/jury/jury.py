"""One or several judges, and how they are asked: pairs in both orders, or answers one by one."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from judge.jury.config import TOP, Judge, JuryConfig, judges_of
from judge.jury.labels import draw_labels, draw_nonce
from judge.jury.readout import (
    SCORES,
    Reading,
    label_doubt,
    read_choice,
    read_logprob,
    read_score,
    read_text,
)
from judge.jury.verdict import Decision, Vote, decide
from judge.rubric import parse_aspects
from pairwright.errors import UsageError
from pairwright.records import Completion, Message, Request, Sampling, conversation
from pairwright.stages.asking import Asking, together
from prompts import Template, load
from prompts.template import TemplateError

COMPARED = ("prompt", "first", "second", "nonce", "labels", "protocol")
RATED = ("prompt", "response", "nonce", "aspect")
"""The variables of a template, where answers are compared and where they are rated."""
MOST_DOUBT = 0.01
"""Most by which a label that was not reported may be able to move a probability."""


class Case(NamedTuple):
    """A prompt and the answers to it that are compared."""

    row_id: str
    prompt: str
    texts: tuple[str, ...]
    occurrence: int = 0
    messages: tuple[Message, ...] = ()
    """The prompt as a conversation, for reward models."""


class Jury:
    """Asks every judge about pairs of a case and decides about each pair."""

    def __init__(self, config: JuryConfig) -> None:
        self._config = config
        self.judges = judges_of(config)
        self.roles = {judge.role: judge.spec for judge in self.judges}
        self._rewarding = [judge for judge in self.judges if judge.protocol == "reward"]
        self._asked = [judge for judge in self.judges if judge.protocol != "reward"]
        self.pointwise = all(judge.protocol == "score" for judge in self._asked)
        self._aspects = parse_aspects(config.aspects)
        try:
            self._template = load(config.judge_template or ("judge_score" if self.pointwise else "judge"))
            self._template.require(*(RATED if self.pointwise else COMPARED))
            self._choose = load("judge_choose")
        except TemplateError as error:
            raise UsageError(str(error)) from None
        chooses = any(judge.protocol == "choice" for judge in self.judges)
        used = (self._template, self._choose) if chooses else (self._template,)
        self.templates = {template.name: template.text for template in used if self._asked}

    def decide(self, case: Case, pairs: Sequence[tuple[int, int]]) -> Asking[list[Decision]]:
        """What the jury decides about pairs of candidates, given by their numbers."""
        nonce = draw_nonce(case.row_id, [case.prompt, *case.texts])
        by_words = self._by_score if self.pointwise else self._by_comparison
        asking = [by_words(case, pairs, nonce)] if self._asked else []
        asking += [self._by_reward(judge, case, pairs) for judge in self._rewarding]
        found = yield from together(asking)
        votes = [[vote for part in parts for vote in part] for parts in zip(*found, strict=True)]
        return [decide(v, self._config.agree, self._config.min_margin) for v in votes]

    def _by_comparison(
        self, case: Case, pairs: Sequence[tuple[int, int]], nonce: str
    ) -> Asking[list[list[Vote]]]:
        """Votes on pairs whose answers are shown side by side."""
        return (yield from together([self._compare(case, pair, nonce) for pair in pairs]))

    def _by_reward(
        self, judge: Judge, case: Case, pairs: Sequence[tuple[int, int]]
    ) -> Asking[list[list[Vote]]]:
        """Votes of a reward model r: P(a is better) = sigmoid(r(a) - r(b)), after Bradley and Terry."""
        numbers = sorted({number for pair in pairs for number in pair})
        completions = yield [
            self._request(
                judge, case, (*case.messages, Message(role="assistant", content=case.texts[number])), 1
            )
            for number in numbers
        ]
        scores = {n: float(c.text) for n, c in zip(numbers, completions, strict=True)}
        return [
            [Vote(judge.spec, None, "", _sigmoid(scores[a] - scores[b]), scores=(scores[a], scores[b]))]
            for a, b in pairs
        ]

    def _compare(self, case: Case, pair: tuple[int, int], nonce: str) -> Asking[list[Vote]]:
        """Every judge's votes on a pair, in both orders."""
        a, b = (case.texts[number] for number in pair)
        questions = [(judge, a_first) for judge in self._asked for a_first in (True, False)]
        return (
            yield from together(
                [self._ask(judge, case, (a, b), a_first, nonce) for judge, a_first in questions]
            )
        )

    def _ask(
        self, judge: Judge, case: Case, texts: tuple[str, str], a_first: bool, nonce: str
    ) -> Asking[Vote]:
        """One judge's vote on a pair (a, b) in one order."""
        first, second = texts if a_first else texts[::-1]
        labels = draw_labels(case.row_id, judge.role, *sorted(texts))
        shown = {"prompt": case.prompt, "first": first, "second": second, "nonce": nonce}
        messages = _messages(self._template, **shown, labels=labels, protocol=judge.protocol)
        vote = Vote(judge.spec, a_first, "", None)
        if judge.protocol == "logprob":
            return (yield from self._by_logprob(judge, case, messages, labels, vote))
        [completion] = yield [self._request(judge, case, messages, self._config.reasoning_tokens)]
        vote = vote._replace(reply=completion.text)
        if judge.protocol == "text":
            return _read(vote, read_text(completion, labels, (case.prompt, first, second)))
        said = Message(role="assistant", content=completion.text.strip() or "…")
        messages = (*messages, said, *_messages(self._choose, labels=labels))
        [choice] = yield [self._request(judge, case, messages, 4, judge.logprobs, labels)]
        return _read(vote._replace(reply=f"{vote.reply}\n\n{choice.text}"), read_choice(choice, labels))

    def _by_logprob(
        self, judge: Judge, case: Case, messages: tuple[Message, ...], labels: tuple[str, str], vote: Vote
    ) -> Asking[Vote]:
        """The labels' probabilities as the first token.

        A label that is not among the tokens reported has some probability all the same. Where that
        could change the reading, the judge is asked again and held to the labels; the mass outside
        them is the one of the free answer.
        """
        [free] = yield [self._request(judge, case, messages, 1, TOP)]
        reading, outside = read_logprob(free, labels, self._config.min_label_mass)
        vote = vote._replace(outside_mass=outside, reply=free.text)
        if reading is not None and label_doubt(free, labels) > MOST_DOUBT:
            [held] = yield [self._request(judge, case, messages, 4, TOP, labels)]
            reading = read_choice(held, labels)
        return _read(vote, reading)

    def _by_score(
        self, case: Case, pairs: Sequence[tuple[int, int]], nonce: str
    ) -> Asking[list[list[Vote]]]:
        """Votes on pairs from the ratings of each answer, aspect by aspect."""
        wanted = [
            (judge, number, aspect)
            for number in sorted({n for pair in pairs for n in pair})
            for judge in self._asked
            for aspect in self._aspects
        ]
        completions = yield [
            self._rating(judge, case, case.texts[number], aspect, nonce) for judge, number, aspect in wanted
        ]
        ratings = dict(zip(wanted, completions, strict=True))
        return [
            [
                self._score_vote(judge, aspect, ratings[judge, a, aspect], ratings[judge, b, aspect])
                for judge in self._asked
                for aspect in self._aspects
            ]
            for a, b in pairs
        ]

    def _rating(self, judge: Judge, case: Case, text: str, aspect: str, nonce: str) -> Request:
        messages = _messages(self._template, prompt=case.prompt, response=text, aspect=aspect, nonce=nonce)
        choices = () if judge.logprobs else SCORES
        return self._request(judge, case, messages, 1 if judge.logprobs else 4, judge.logprobs, choices)

    def _score_vote(self, judge: Judge, aspect: str, a: Completion, b: Completion) -> Vote:
        """Scores of 1 to 5 as a probability: p = (1 + (a - b) / 4) / 2, so the margin is |a - b| / 4."""
        (score_a, outside_a), (score_b, outside_b) = (
            read_score(c, self._config.min_label_mass) for c in (a, b)
        )
        probability = None if score_a is None or score_b is None else (1 + (score_a - score_b) / 4) / 2
        outside = [mass for mass in (outside_a, outside_b) if mass is not None]
        return Vote(
            judge.spec,
            None,
            "",
            probability,
            outside_mass=max(outside, default=None),
            aspect=aspect,
            weight=self._aspects[aspect],
            scores=(score_a, score_b),
            reply=f"{a.text} | {b.text}",
        )

    def _request(
        self,
        judge: Judge,
        case: Case,
        messages: tuple[Message, ...],
        max_tokens: int,
        logprobs: int = 0,
        choices: tuple[str, ...] = (),
    ) -> Request:
        return Request(
            role=judge.role,
            messages=messages,
            sampling=Sampling(max_tokens=max_tokens, temperature=0.0, logprobs=logprobs),
            choices=choices,
            template="" if judge.protocol == "reward" else self._template.hash,
            sample_index=case.occurrence,
        )


def _sigmoid(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


def _read(vote: Vote, reading: Reading | None) -> Vote:
    """The vote with what was read of it, told from the side of a."""
    if reading is None:
        return vote
    probability = reading.probability if vote.a_first else 1 - reading.probability
    return vote._replace(label=reading.label, probability=probability)


def _messages(template: Template, **variables: Any) -> tuple[Message, ...]:
    try:
        return conversation(template.messages(**variables))
    except TemplateError as error:
        raise UsageError(str(error)) from None
