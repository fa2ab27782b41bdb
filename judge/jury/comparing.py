"""Protocols `logprob`, `choice` and `text`: both answers side by side, in both orders."""

from collections.abc import Mapping, Sequence
from functools import partial

from judge.jury.config import TOP, Judge, JuryConfig
from judge.jury.labels import draw_labels
from judge.jury.protocol import Case, loaded, rendered, request
from judge.jury.readout import (
    Reading,
    foreign_token,
    label_doubt,
    read_cautiously,
    read_choice,
    read_logprob,
    read_text,
)
from judge.jury.verdict import Vote
from pairwright.errors import PairwrightError
from pairwright.records import Completion, Message
from pairwright.stages.asking import Asking, together

VARIABLES = ("prompt", "first", "second", "nonce", "labels", "protocol", "rubric", "row")
"""What a template is given."""
MOST_DOUBT = 0.01
"""Most by which a label that was not reported may be able to move a probability."""


class Comparing:
    """Shows a judge two answers and asks for the label of the better one."""

    pointwise = False

    def __init__(self, config: JuryConfig, judges: Sequence[Judge]) -> None:
        self._config = config
        ours = "judge_by_rubric" if config.rubric else "judge"
        self._template = loaded(
            config.judge_template or ours,
            VARIABLES,
            shows=("first", "second"),
            rubric=bool(config.rubric),
        )
        self.columns = self._template.columns
        self._choose = loaded("judge_choose", ("labels",))
        chooses = any(judge.protocol == "choice" for judge in judges)
        used = (self._template, self._choose) if chooses else (self._template,)
        self.templates: Mapping[str, str] = {template.name: template.text for template in used}
        self._request = partial(request, template=self._template.hash)

    def votes(self, judge: Judge, case: Case, pairs: Sequence[tuple[int, int]]) -> Asking[list[list[Vote]]]:
        """Find two votes on each pair, one for each order."""
        nonce = case.nonce
        shown = [(case.texts[a], case.texts[b], a_first) for a, b in pairs for a_first in (True, False)]
        votes = yield from together(
            [self._ask(judge, case, (a, b), a_first, nonce) for a, b, a_first in shown]
        )
        return [votes[n : n + 2] for n in range(0, len(votes), 2)]

    def _ask(
        self, judge: Judge, case: Case, texts: tuple[str, str], a_first: bool, nonce: str
    ) -> Asking[Vote]:
        """One judge's vote on a pair (a, b) in one order."""
        first, second = texts if a_first else texts[::-1]
        labels = draw_labels(case.row_id, judge.role, *sorted(texts))
        shown = {**case.shown, "first": first, "second": second, "nonce": nonce}
        messages = rendered(self._template, **shown, labels=labels, protocol=judge.protocol)
        vote = Vote(judge.spec, a_first, "", None)
        if judge.protocol == "logprob":
            return (yield from self._by_logprob(judge, case, messages, labels, vote))
        [completion] = yield [self._request(judge, case, messages, self._config.reasoning_tokens)]
        vote = vote._replace(reply=completion.text)
        if judge.protocol == "text":
            return _read(vote, read_text(completion, labels, (case.prompt, first, second)))
        said = Message(role="assistant", content=completion.text.strip() or "…")
        messages = (*messages, said, *rendered(self._choose, labels=labels))
        thinks = completion.reasoning is not None
        choice = yield from self._held(judge, case, messages, labels, judge.logprobs, thinks=thinks)
        return _read(vote._replace(reply=f"{vote.reply}\n\n{choice.text}"), read_choice(choice, labels))

    def _by_logprob(
        self, judge: Judge, case: Case, messages: tuple[Message, ...], labels: tuple[str, str], vote: Vote
    ) -> Asking[Vote]:
        """The labels' probabilities as the first token.

        A label that is not among the tokens reported has some probability all the same. Where that
        could change the reading, the judge is asked again and held to the labels; the mass outside
        them is the one of the free answer. Of a server that reports fewer tokens than were asked for,
        the reading with the least margin is taken.
        """
        [free] = yield [self._request(judge, case, messages, 1, TOP)]
        if not free.top_logprobs and (free.reasoning is not None or free.text.strip()):
            raise PairwrightError(_no_first_token(judge, free))
        reading, outside = read_logprob(free, labels, self._config.min_label_mass)
        vote = vote._replace(outside_mass=outside, reply=free.text, problem=foreign_token(free))
        if reading is not None and label_doubt(free, labels) > MOST_DOUBT:
            if len(free.top_logprobs[0]) < TOP:  # servers that report fewer hold no answer to labels
                return _read(vote, read_cautiously(free, labels))
            held = yield from self._held(judge, case, messages, labels, TOP)
            reading = read_choice(held, labels)
        return _read(vote, reading)

    def _held(
        self,
        judge: Judge,
        case: Case,
        messages: tuple[Message, ...],
        labels: tuple[str, str],
        logprobs: int,
        *,
        thinks: bool = False,
    ) -> Asking[Completion]:
        """An answer that is held to the labels; a judge that `thinks` first is given tokens for that."""
        if not thinks:
            [held] = yield [self._request(judge, case, messages, 4, logprobs, labels)]
            if held.finish_reason != "length" or held.text.strip():
                return held
        budget = 4 + self._config.reasoning_tokens
        [held] = yield [self._request(judge, case, messages, budget, logprobs, labels)]
        return held


def _no_first_token(judge: Judge, found: Completion) -> str:
    """Why a judge has no verdict in its first token, and what to do."""
    if found.reasoning is not None:
        return (
            f"{judge.spec} thinks before it answers, so its first token is no verdict; judge with "
            "--protocol choice or text"
        )
    return f"{judge.spec} gives no log-probabilities; judge with --protocol text, or choice"


def _read(vote: Vote, reading: Reading | None) -> Vote:
    """The vote with what was read of it, told from the side of a."""
    if reading is None:
        return vote
    probability = reading.probability if vote.a_first else 1 - reading.probability
    return vote._replace(label=reading.label, probability=probability)
