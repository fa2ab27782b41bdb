"""The stage of `judge`: answers to a prompt, their comparisons, a ranking, pairs."""

from collections.abc import Mapping, Sequence
from typing import Any

from judge.answers import SampledAnswers, require_comparable
from judge.comparable import distinct, too_few, without_repeating
from judge.config import JudgeConfig
from judge.jury.jury import Jury
from judge.jury.labels import shuffled
from judge.jury.protocol import Case
from judge.jury.verdict import Decision
from judge.ranking import Match, Ranking, rank
from judge.verification import PairVerification
from pairwright.engines.thoughts import read_marks
from pairwright.errors import UsageError
from pairwright.inputs.candidates import without_thought
from pairwright.inputs.row import Candidate, Row
from pairwright.inputs.rows import Input
from pairwright.pairs.columns import add_measures, pair_columns
from pairwright.records import KEPT, Outcome
from pairwright.schema import JUDGED_PAIR
from pairwright.stages.asking import Meter
from pairwright.stages.stage import Work


class JudgeStage:
    """One item is one prompt with all its answers."""

    name = "judge"
    schema = JUDGED_PAIR
    samples = 1

    def __init__(self, config: JudgeConfig) -> None:
        self._config = config
        self._marks = read_marks(config.thinking_tags)
        self._sampled = SampledAnswers(config)
        self._jury = Jury(config)
        self.reads_logprobs = self._jury.reads_logprobs
        self._verified = PairVerification(config, allow_code=config.allow_code)
        self.schema = self._verified.widened(self._jury.widened(JUDGED_PAIR))
        self.roles: Mapping[str, str] = {**self._sampled.roles, **self._jury.roles, **self._verified.roles}
        self.templates: Mapping[str, str] = {**self._jury.templates, **self._verified.templates}
        if len(self._sampled.roles) * self._sampled.n == 1 and config.columns is None:
            raise UsageError("--n 1: a comparison needs two answers to a prompt; give --n 2 or more")

    def check(self, rows: Input) -> None:
        """Require somewhere two different answers to a prompt."""
        self._jury.check(rows)
        self._verified.check(rows)
        if not self._sampled.roles:
            require_comparable(rows)

    def work(self, row: Row, sample: int) -> Work:
        """Make the pairs of a prompt, and let them pass the verifiers, where there are any."""
        outcome = yield from self._pairs(row)
        return (yield from self._verified(row, outcome))

    def complete(self, rows: Sequence[dict[str, Any]]) -> None:
        """Measure the pairs."""
        add_measures(rows)

    def _pairs(self, row: Row) -> Work:
        """Gather the answers, let them meet, and make pairs of those the jury tells apart."""
        meter = Meter("judge")
        sampled = yield from meter.counting(self._sampled.answer(row))
        source = self._source(row)
        given = (without_thought(candidate, self._marks) for candidate in row.candidates)
        whole, faults = without_repeating((*given, *sampled.answers))
        found = distinct(whole)
        if len(found) < 2:
            status, reason = too_few(whole, (*sampled.faults, *faults))
            return Outcome(status=status, reason=reason, columns={"source": source} | meter.columns)
        found = [found[i] for i in shuffled(len(found), row.row_id)]
        case = Case.of(row, [c.text for c in found])
        case = yield from meter.counting(self._jury.prepared(case))
        ranking = yield from meter.counting(
            rank(len(found), lambda pairs: self._jury.decide(case, pairs), everybody=self._jury.pointwise)
        )
        return self._outcome(ranking, found, {"source": source} | self._jury.columns(case), meter)

    def _outcome(
        self, ranking: Ranking, found: Sequence[Candidate], shared: dict[str, Any], meter: Meter
    ) -> Outcome:
        """The pairs that were told apart; when there are none, how best and worst compared."""
        ends: Match = (min(ranking.best, ranking.worst), max(ranking.best, ranking.worst))
        wanted = list(ranking.met) if self._config.pairs == "all" else [ends]
        kept = [pair for pair in wanted if ranking.met[pair].status == KEPT]
        shown = kept or [ends]
        rows = [
            judged_columns(ranking.met[pair], found[pair[0]], found[pair[1]]) | shared for pair in shown
        ]
        decision = ranking.met[shown[0]]
        return Outcome(
            status=decision.status,
            reason=decision.reason,
            columns=rows[0] | meter.columns,
            further=tuple(columns | meter.free for columns in rows[1:]),
        )

    def _source(self, row: Row) -> str:
        """On-policy when all answers come from one model that is known; else off-policy."""
        models = {c.model for c in row.candidates}
        if self._sampled.roles:
            on_policy = len(self._sampled.roles) == 1 and not models
        else:
            on_policy = self._config.columns is None and len(models) == 1 and None not in models
        return "on_policy_judge" if on_policy else "off_policy_judge"


def judged_columns(decision: Decision, a: Candidate, b: Candidate) -> dict[str, Any]:
    """Return the columns of a pair that was judged, the better answer as chosen."""
    a_chosen = decision.preference is None or decision.preference >= 0.5
    chosen, rejected = (a, b) if a_chosen else (b, a)
    return pair_columns(chosen, rejected) | {
        "verdict": decision.verdict(a_chosen=a_chosen),
        "margin": decision.margin,
    }
