"""The stage of `revise`: answer, revision, gates, another try, pair."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from pairwright.engines.thoughts import part, read_marks
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.pairs.minimality import Minimality, measure
from pairwright.records import (
    BLANK_LINES,
    EMPTY,
    FAILED,
    KEPT,
    NO_CHANGE,
    Completion,
    Ending,
    Outcome,
    Request,
    Sampling,
)
from pairwright.schema import CHAIN, CROSSED, PAIR, REVERSAL, VERIFIED
from pairwright.stages.asking import Asking, Meter, Unanswered
from pairwright.stages.preview import filler_text, played
from pairwright.stages.sample import answer_request, answer_status
from pairwright.stages.stage import Work
from revise.config import ReviseConfig
from revise.crossing import Crossing
from revise.edits.chain import chain_of
from revise.gates import Revision, check, user_gates
from revise.mirror import mirrors_of
from revise.reversal import Reversal
from revise.revisers import Reviser, revisers_of, schema_of, templates_of
from revise.verification import Verification

NO_ANSWER = (
    "no answer to revise; fill it or remove the row, name the column of answers with --answer_column, that "
    "of whole conversations with --prompt_column, or the engine that answers with --policy"
)
SOURCE = {"improve": "clair", "worsen": "clair_worsened"}


class Tried(NamedTuple):
    """The result of one reviser's tries."""

    reviser: Reviser
    ending: Ending
    columns: dict[str, Any]
    """Of the last revision."""
    model: str
    attempts: int


class ReviseStage:
    """One item is one answer."""

    name = "revise"
    schema: Any = PAIR
    samples = 1

    def __init__(self, config: ReviseConfig) -> None:
        self._config = config
        self._improve = config.direction == "improve"
        self._revisers = revisers_of(config)
        self._user_gates = user_gates(config)
        self._verification = None
        self._mirrors = () if config.mirror is None else mirrors_of(config.mirror)
        self._marks = read_marks(config.thinking_tags)
        self.schema = schema_of(self._revisers)
        policy = {} if config.policy is None else {"policy": config.policy}
        self.roles: Mapping[str, str] = {r.role: r.spec for r in self._revisers} | policy
        self.templates: Mapping[str, str] = templates_of(self._revisers)
        self._chain = config.pairs == "chain"
        if self._chain:
            self.schema = pa.schema([*self.schema, *CHAIN])
        if config.verify is not None:
            self._verification = Verification(config, improve=self._improve, allow_code=config.allow_code)
            self.schema = pa.schema([*self.schema, *VERIFIED])
            self.roles = {**self.roles, **self._verification.verifiers.roles}
            self.templates = {**self.templates, **self._verification.verifiers.templates}
        self._reversal = None
        if config.reverse_constraints:
            self._reversal = Reversal(self._revisers, self._verification, improve=self._improve)
            self.schema = pa.schema([*self.schema, REVERSAL])
            self.templates = {**self.templates, self._reversal.template.name: self._reversal.template.text}
        self._crossing = None
        if config.cross is not None:
            self._crossing = Crossing(config, self._verification, self._mirrors)
            self.schema = pa.schema([*self.schema, CROSSED])
        self._policy_sampling = Sampling(
            max_tokens=config.policy_max_tokens, temperature=config.policy_temperature
        )

    def check(self, rows: Input) -> None:
        """Require the columns that are shown, and those that verifiers and other prompts need."""
        for reviser in self._revisers:
            reviser.check(rows)
        if self._verification is not None:
            self._verification.verifiers.check(rows)
        for mirror in self._mirrors:
            mirror.check(rows)
        if self._crossing is not None:
            self._crossing.check(rows)

    def work(self, row: Row, sample: int) -> Work:
        """Sample an answer if there is none, and have it revised until a revision makes a pair."""
        meter = Meter("reviser")
        outcome = yield from meter.counting(self._paired(row))
        if self._crossing is not None and outcome.status == KEPT:
            outcome = yield from meter.counting(self._crossing.pair(row, outcome, self._revised))
        turned: dict[str, Any] | None = None
        if self._reversal is not None and outcome.status == KEPT:
            ending, turned = yield from meter.counting(self._reversal.pair(row, outcome.columns))
            outcome.columns["reversal"] = ending.status
        columns = outcome.columns | meter.columns
        if outcome.status != KEPT:
            return outcome.model_copy(update={"columns": columns})
        steps = list(chain_of(columns, improve=self._improve)) if self._chain else [columns]
        mirrors = self._mirrors if self._crossing is None else ()  # crossed pairs bring their own
        mirrored = (mirror.pair(row, step) for step in steps for mirror in mirrors)
        beside = (*outcome.further, *mirrored, turned)
        further = (*steps[1:], *(pair for pair in beside if pair is not None))
        return outcome.model_copy(update={"columns": steps[0], "further": further})

    def foreseen(self, row: Row) -> list[Request]:
        """Return what verifiers are asked about a revision, and revisers for a crossed pair.

        That is one of the first other prompt, if it serves.
        """
        if self._crossing is not None and self._crossing.alone(row):
            return []
        answer, found = row.answer, list[Request]()
        if answer is None:
            answer = filler_text(self._policy_sampling.max_tokens)
        if self._verification is not None:
            revision = filler_text(self._config.max_tokens)
            found += played(self._verification.revision(row, answer, revision))
        if self._crossing is not None:
            other = self._crossing.first(row)
            found += [r.request(other, r.first(other, answer, ""), answer) for r in self._revisers]
        return found

    def _paired(self, row: Row) -> Work:
        answer, model, thought = row.answer, _model_of(row), row.reasoning
        if self._crossing is not None and (alone := self._crossing.alone(row)):
            columns = self._columns(answer or "", model, thought)
            return Outcome(status=alone.status, reason=alone.reason, columns=columns)
        if answer is None:
            [sampled] = yield [answer_request(row, self._policy_sampling, row.occurrence)]
            answer, model, thought = sampled.text, sampled.model or self.roles["policy"], sampled.reasoning
            status, reason = answer_status(sampled)
            if status != KEPT:
                columns = self._columns(answer, model, thought)
                return Outcome(status=status, reason=f"the policy's answer: {reason}", columns=columns)
        else:
            given = part(answer, self._marks)  # so that both sides lose a thought alike
            answer, thought = given.answer, thought or given.thought
            if not given.ended:
                columns = self._columns(answer, model, thought)
                return Outcome(status=EMPTY, reason="the answer is a thought alone", columns=columns)
        return (yield from self._revised(row, answer, model, thought))

    def _revised(self, row: Row, answer: str, model: str | None = None, thought: str | None = None) -> Work:
        """Have an answer revised for a row's prompt until a revision makes a pair with it."""
        scores: dict[str, Any] = {}
        if self._verification is not None:
            ending, scores = yield from self._verification.answer(row, answer)
            if ending.status != KEPT:
                columns = self._columns(answer, model, thought) | scores
                return Outcome(status=ending.status, reason=ending.reason, columns=columns)
        attempts, ended = 0, None
        for reviser in self._revisers:
            tried = yield from self._tried(reviser, row, answer, scores.get("feedback", ""))
            attempts += tried.attempts
            if tried.ending.status == KEPT:
                ended = tried
                break
            # What was tried in vain tells more than that another had nothing to try; and a failure, that
            # the next run has to try again.
            if ended is None or (ended.ending.status != FAILED and tried.ending.status != NO_CHANGE):
                ended = tried
        assert ended is not None
        lineage = self._columns(answer, model, thought, ended.reviser, ended.model or ended.reviser.spec)
        columns = lineage | {"attempts": attempts} | scores | ended.columns
        return Outcome(status=ended.ending.status, reason=ended.ending.reason, columns=columns)

    def _tried(self, reviser: Reviser, row: Row, answer: str, feedback: str) -> Asking[Tried]:
        """Let one reviser try, and again with what was wrong before."""
        messages = reviser.first(row, answer, feedback)
        for attempts in range(1, reviser.tries + 1):
            try:
                [completion] = yield [reviser.request(row, messages, answer)]
            except Unanswered as error:
                if not reviser.is_function:
                    raise
                return Tried(reviser, Ending(FAILED, str(error)), {}, "", attempts)
            columns, ending = self._gated(reviser, answer, completion)
            if ending.status == KEPT and self._verification is not None:
                revision = columns["chosen" if self._improve else "rejected"][0]["content"]
                ending, found = yield from self._verification.revision(row, answer, revision)
                columns = columns | found
            if attempts == reviser.tries or ending.status == KEPT or self._final(ending):
                break
            messages += reviser.again(completion.text, ending)
        return Tried(reviser, ending, columns, completion.model, attempts)

    def _final(self, ending: Ending) -> bool:
        """A reviser that finds nothing to mend has answered; pressed, it would only reword."""
        unchanged = ending.status in (NO_CHANGE, BLANK_LINES)
        return unchanged and self._improve and self._verification is None

    def _gated(
        self, reviser: Reviser, answer: str, completion: Completion
    ) -> tuple[dict[str, Any], Ending]:
        """The columns that a reviser's completion fills, and what the gates say of it."""
        revision = reviser.read(completion, answer)
        if isinstance(revision, Ending):
            return {}, revision
        text = part(revision.text, self._marks).answer  # some revisers write a thought for the answer too
        chosen, rejected = self._sides(answer, text)
        measures = measure(chosen, rejected, original=answer)
        ending = check(Revision(answer, text, measures), self._config, self._user_gates)
        return _pair_columns(chosen, rejected, measures) | revision.columns, ending

    def _sides(self, answer: Any, revision: Any) -> tuple[Any, Any]:
        """Chosen and rejected, from what belongs to the answer and what to the revision."""
        return (revision, answer) if self._improve else (answer, revision)

    def _columns(
        self,
        answer: str,
        answer_model: str | None,
        thought: str | None,
        reviser: Reviser | None = None,
        revision_model: str | None = None,
    ) -> dict[str, Any]:
        """Lineage; and the answer's own side, for rows that come to no revision."""
        side = "rejected" if self._improve else "chosen"
        chosen_model, rejected_model = self._sides(answer_model, revision_model)
        template = (reviser or self._revisers[0]).template
        chosen_template, rejected_template = self._sides(None, template)
        return {
            side: _assistant(answer),
            "source": SOURCE[self._config.direction],
            "chosen_model": chosen_model,
            "rejected_model": rejected_model,
            "chosen_template": chosen_template,
            "rejected_template": rejected_template,
            "chosen_reasoning": thought,
            "rejected_reasoning": thought,
            "attempts": 0,
        }


def _pair_columns(chosen: str, rejected: str, measures: Minimality) -> dict[str, Any]:
    return {"chosen": _assistant(chosen), "rejected": _assistant(rejected), **measures._asdict()}


def _assistant(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _model_of(row: Row) -> str | None:
    """The model that gave a row's answer, when the input says so."""
    model = row.candidates[0].model if row.candidates else row.carried.get("completion_model")
    return model if isinstance(model, str) else None
