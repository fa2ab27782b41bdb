"""A judge as a verifier: `pairwright.stages.verifying` names it and never imports it."""

from collections.abc import Mapping, Sequence

from judge.jury.config import JuryConfig
from judge.jury.jury import Jury
from judge.jury.protocol import Case
from pairwright.inputs.row import Row
from pairwright.records import KEPT, UNPARSED, Completion, Request
from pairwright.stages.asking import Asking, T
from pairwright.stages.verifying import Said

_LEAST_WORDS = 5
"""A reply of fewer words is a label and no explanation."""
_LOWEST, _HIGHEST = 1.0, 5.0


class JudgeVerifier:
    """An engine that judges, alone on its jury.

    It compares an answer with its revision in both orders; the scores are the probabilities that each
    is better. `rating`: it rates each answer by itself instead, from 0 (very poor) to 1 (excellent).
    """

    wants: tuple[str, ...] = ()

    def __init__(self, role: str, spec: str, *, rating: bool = False) -> None:
        self.role = role
        self.compares = not rating
        self._jury = Jury(JuryConfig(judge=spec, protocol="score" if rating else None))
        self.templates: Mapping[str, str] = self._jury.templates

    def scores(self, row: Row, answers: Sequence[str]) -> Asking[list[Said]]:
        """Find what the judge says of each answer."""
        case = Case.of(row, answers)
        if not self.compares:
            return (yield from self._rated(case))
        first, second = range(2)
        [decision] = yield from self._as_verifier(self._jury.decide(case, [(first, second)]))
        words = next((v.reply for v in decision.votes if len(v.reply.split()) >= _LEAST_WORDS), "")
        feedback = words or decision.reason
        if decision.status == UNPARSED or decision.preference is None:
            return [Said(None, decision.reason, True)] * 2
        p = decision.preference if decision.status == KEPT else 0.5
        return [Said(p, feedback, True), Said(1 - p, feedback, True)]

    def _rated(self, case: Case) -> Asking[list[Said]]:
        """Each answer's mean over the aspects, as weighted."""
        pairs = [(number, number) for number in range(len(case.texts))]
        decisions = yield from self._as_verifier(self._jury.decide(case, pairs))
        found = []
        for decision in decisions:
            ratings = [(vote.scores[0], vote.weight) for vote in decision.votes]
            if any(score is None for score, _ in ratings):
                found.append(Said(None, "the judge's rating could not be read"))
                continue
            mean = sum(s * w for s, w in ratings if s is not None) / sum(w for _, w in ratings)
            found.append(Said((mean - _LOWEST) / (_HIGHEST - _LOWEST), mark=None))
        return found

    def _as_verifier(self, asking: Asking[T]) -> Asking[T]:
        """The jury's conversation, its requests under the verifier's role."""
        answers: list[Completion] | None = None
        while True:
            try:
                requests = asking.send(answers)  # type: ignore[arg-type]  # None begins it
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            asked: list[Request] = [r.model_copy(update={"role": self.role}) for r in requests]
            answers = yield asked
