"""Stronger-preferred pairs: a stronger model's own answer is chosen, and no judge is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from judge.answers import SampledAnswers
from judge.comparable import aside, distinct, same, too_few
from judge.config import JudgeConfig
from judge.jury.config import names
from judge.verification import PairVerification
from pairwright.engines.kinds import is_engine
from pairwright.errors import UsageError
from pairwright.inputs.row import Candidate, Row
from pairwright.inputs.rows import Input
from pairwright.pairs.columns import add_measures, pair_columns
from pairwright.records import IDENTICAL, KEPT, TOO_FEW, Ending, Outcome, Sampling
from pairwright.schema import PAIR
from pairwright.stages.asking import Asking, Meter
from pairwright.stages.sample import answer_request, answer_status
from pairwright.stages.stage import Work

SOURCE = "stronger_preferred"


class StrongerStage:
    """One item is one prompt with the answers that stand against the stronger one.

    D'Oosterlinck et al. 2024, §4.1 (arXiv 2408.06266): chosen is the stronger model's independent
    answer and rejected the target model's.
    """

    name = "judge"
    schema = PAIR
    source = SOURCE
    """What its pairs are called in the column of that name."""
    samples = 1

    def __init__(self, config: JudgeConfig) -> None:
        assert config.stronger is not None
        self._every = config.pairs == "all"
        self._column = None if is_engine(config.stronger) else config.stronger
        self._sampled = SampledAnswers(config, default_n=1)
        self._verified = PairVerification(config, allow_code=config.allow_code)
        self.schema = self._verified.widened(PAIR)
        self.templates: Mapping[str, str] = self._verified.templates
        engine = {} if self._column else {"stronger": config.stronger}
        self.roles: Mapping[str, str] = {**self._sampled.roles, **engine, **self._verified.roles}
        self._sampling = Sampling(
            max_tokens=config.policy_max_tokens, temperature=config.policy_temperature
        )
        if config.judge is not None:
            raise UsageError("--stronger asks no judge; leave out --judge")
        if self._column and self._column in names(config.columns):
            raise UsageError(
                f"--columns names `{self._column}`, which is the stronger answer; leave it out"
            )

    def check(self, rows: Input) -> None:
        """Require an answer somewhere to compare the stronger one with."""
        self._verified.check(rows)
        needed = 2 if self._column else 1
        if not self._sampled.roles and all(len(row.candidates) < needed for row in rows):
            raise UsageError(
                f"{rows.info.path}: no answers to compare with the stronger ones; name "
                "their column with --answer_column, or the engine that gives them with --policy"
            )

    def work(self, row: Row, sample: int) -> Work:
        """Make the pairs of a prompt, and let them pass the verifiers, where there are any."""
        outcome = yield from self._pairs(row)
        return (yield from self._verified(row, outcome))

    def complete(self, rows: Sequence[dict[str, Any]]) -> None:
        """Measure the pairs."""
        add_measures(rows)

    def _pairs(self, row: Row) -> Work:
        """Gather the weaker answers and the stronger one, and make pairs of them."""
        meter = Meter("stronger")
        sampled = yield from meter.counting(self._sampled.answer(row))
        given = [c for c in row.candidates if self._column is None or c.column != self._column]
        weaker = distinct([*given, *sampled.answers])
        if not weaker:
            return self._dropped(*too_few((), sampled.faults), meter)
        strong = yield from meter.counting(self._stronger(row))
        if isinstance(strong, Ending):
            return self._dropped(strong.status, f"the stronger answer: {strong.reason}", meter)
        pairs = [c for c in weaker if not same(c.text, strong.text)]
        if not pairs:
            but = aside(strong.text, *(c.text for c in weaker))
            return self._dropped(IDENTICAL, f"the stronger answer says the same{but}", meter)
        rows = [
            pair_columns(strong, c) | {"source": self.source} for c in pairs[: None if self._every else 1]
        ]
        further = tuple(row | meter.free for row in rows[1:])
        return Outcome(status=KEPT, columns=rows[0] | meter.columns, further=further)

    def _stronger(self, row: Row) -> Asking["Candidate | Ending"]:
        """The stronger answer, from its column or its engine, or why there is none."""
        if self._column:
            found = next((c for c in row.candidates if c.column == self._column), None)
            return found or Ending(TOO_FEW, "there is none in its column")
        request = answer_request(row, self._sampling, row.occurrence)
        [completion] = yield [request.model_copy(update={"role": "stronger"})]
        ended = answer_status(completion)
        if ended.status != KEPT:
            return ended
        model = completion.model or self.roles["stronger"]
        return Candidate(completion.text, model, reasoning=completion.reasoning)

    def _dropped(self, status: str, reason: str, meter: Meter) -> Outcome:
        return Outcome(status=status, reason=reason, columns={"source": self.source} | meter.columns)
