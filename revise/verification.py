"""The last gate: verifiers score an answer and its revision (`stages/verifying.py` compares)."""

from typing import Any, NamedTuple

from pairwright.engines.verifiers.config import VerifyConfig
from pairwright.inputs.row import Row
from pairwright.records import KEPT, UNVERIFIED, Ending
from pairwright.stages.asking import Asking
from pairwright.stages.verifying import EVEN, Verifiers, drop_reason


class Verified(NamedTuple):
    """How verification ended, and the columns that it fills."""

    ending: Ending
    columns: dict[str, Any]


class Verification:
    """Compares the scores of an answer and its revision.

    A revision passes when the chosen one of the two scores above the other by `min_gain`, no verifier
    finds it worse, and it reaches `min_score`, where that is given.
    """

    def __init__(self, config: VerifyConfig, *, improve: bool, allow_code: bool) -> None:
        assert config.verify is not None
        self._config = config
        self._improve = improve
        self.verifiers = Verifiers(config.verify, allow_code=allow_code)

    def answer(self, row: Row, answer: str) -> Asking[Verified]:
        """Find whether an answer needs a revision: `kept` where it does."""
        [found] = yield from self.verifiers.alone(row, [answer])
        columns = {"answer_score": found.score, "feedback": found.feedback}
        score, least = found.score, self._config.min_score
        if self._improve and found.passes(least):
            return Verified(Ending("already_right", f"the answer scores {score:g}"), columns)
        if not self._improve and least is not None and score is not None and score < least - EVEN:
            reason = f"the answer scores {score:g}; at least {least:g} is wanted of what is chosen"
            return Verified(Ending(UNVERIFIED, reason), columns)
        return Verified(Ending(KEPT), columns)

    def revision(self, row: Row, answer: str, revision: str, *, called: str = "answer") -> Asking[Verified]:
        """Find whether a revision makes a pair with its answer; if not, why, for the next try.

        `called` is what reasons call the answer.
        """
        before, after = yield from self.verifiers.beside(row, [answer, revision])
        chosen, rejected = (after, before) if self._improve else (before, after)
        columns = {
            "answer_score": before.score,
            "revision_score": after.score,
            "feedback": after.feedback,
        }
        names = ("revision", called) if self._improve else (called, "revision")
        wrong = drop_reason(chosen, rejected, self._config, *names)
        if wrong is None:
            return Verified(Ending(KEPT), columns)
        said = f": {after.feedback}" if after.feedback and self._improve else ""
        return Verified(Ending(UNVERIFIED, f"{wrong}{said}"), columns)
