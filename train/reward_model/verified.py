"""`pairwright score` by a function, a check or an engine that rates, in the place of a reward model."""

from collections.abc import Mapping

from pairwright.engines.kinds import is_engine
from pairwright.engines.thoughts import read_marks
from pairwright.engines.verifiers.spec import split_specs
from pairwright.errors import UsageError
from pairwright.inputs.candidates import without_thought
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.plugins import is_there
from pairwright.records import EMPTY, KEPT, UNSCORED, Outcome
from pairwright.schema import SCORED
from pairwright.stages.stage import Work
from pairwright.stages.verifying import Verifiers
from train.reward_model.config import ScoreConfig


class VerifierScoreStage:
    """One item is one prompt with its answers; each answer that gets a score becomes a row."""

    name = "score"
    schema = SCORED
    samples = 1

    def __init__(self, config: ScoreConfig) -> None:
        self._config = config
        self._marks = read_marks(config.thinking_tags)
        self._verifiers = Verifiers(config.reward_model, rating=True, allow_code=config.allow_code)
        self.roles: Mapping[str, str] = self._verifiers.roles
        self.templates: Mapping[str, str] = self._verifiers.templates

    def check(self, rows: Input) -> None:
        """Require an answer somewhere, and the columns that the verifiers want."""
        if all(not row.candidates for row in rows):
            raise UsageError(f"{rows.info.path}: no answers to score; name their column, --answer_column")
        self._verifiers.check(rows)

    def work(self, row: Row, sample: int) -> Work:
        """Score every answer, and rank them; those that no verifier scores are left out."""
        if not row.candidates:
            return Outcome(status=EMPTY, reason="there is no answer to the prompt")
        answers = [without_thought(candidate, self._marks) for candidate in row.candidates]
        found = yield from self._verifiers.alone(row, [answer.text for answer in answers])
        scored = [(f.score, a) for f, a in zip(found, answers, strict=True) if f.score is not None]
        if not scored:
            return Outcome(status=UNSCORED, reason="no verifier applies to any answer")
        scored.sort(key=lambda pair: -pair[0])
        columns = [
            {
                "completion": [{"role": "assistant", "content": candidate.text}],
                "completion_model": candidate.model,
                "score": score,
                "rank": rank,
                "scored": len(scored),
                "too_long": 0,
                "reasoning": candidate.reasoning,
            }
            for rank, (score, candidate) in enumerate(scored, start=1)
        ]
        first, *further = columns[:1] if self._config.best_of_n else columns
        return Outcome(status=KEPT, columns=first, further=tuple(further))


def by_verifier(config: ScoreConfig) -> bool:
    """Return whether the scorer in the settings is asked as an engine, not loaded as a reward model."""
    first = split_specs(config.reward_model)[:1]
    return bool(first) and (is_engine(first[0]) or is_there(first[0]))
