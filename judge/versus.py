"""The life of a prompt in a win rate: both answers, one comparison in both orders, who won."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge.asking import Asking, Meter
from judge.jury import Jury, case_of
from judge.sides import Side
from judge.verdict import Decision, side
from pairwright.errors import UsageError
from pairwright.inputs import Candidate, Input, Row
from pairwright.records import FAILED, KEPT, Outcome, Sampling
from pairwright.sample import answer_request, answer_status
from pairwright.schema import COMPARED
from pairwright.stage import Work

if TYPE_CHECKING:
    from judge.winrate import WinrateConfig

MISSING = "missing"
IDENTICAL = "identical"
_SAME = Decision(IDENTICAL, "", 0.5, True, ())


class VersusStage:
    """One item is one prompt; kept are those with a verdict, ties among them."""

    name = "winrate"
    schema = COMPARED
    samples = 1

    def __init__(self, config: "WinrateConfig", sides: tuple[Side, Side]) -> None:
        self.jury = Jury(config)
        self._sides = sides
        engines = {s.role: s.engine for s in sides if s.engine is not None}
        self.roles: Mapping[str, str] = {**engines, **self.jury.roles}
        self.templates: Mapping[str, str] = self.jury.templates
        self._sampling = Sampling(
            max_tokens=config.policy_max_tokens, temperature=config.policy_temperature
        )

    def check(self, rows: Input) -> None:
        """Somewhere there must be a prompt that both sides answer."""
        given = [s for s in self._sides if s.engine is None]
        if all(any(row.prompt_id not in s.answers for s in given) for row in rows):
            names = " and ".join(s.name for s in given)
            raise UsageError(
                f"{names}: no prompt of {rows.info.path} is answered there; prompts are matched by content"
            )

    def work(self, row: Row, sample: int) -> Work:
        """Get both answers; compare them unless they are the same."""
        meter = Meter()
        found = yield from meter.counting(self._answers(row))
        if isinstance(found, Outcome):
            return found
        answer, baseline = found
        if answer.text.strip() == baseline.text.strip():
            decision = _SAME
        else:
            case = case_of(row, (answer.text, baseline.text))
            [decision] = yield from meter.counting(self.jury.decide(case, [(0, 1)]))
        win = points(decision)
        columns: dict[str, Any] = {
            "answer": [{"role": "assistant", "content": answer.text}],
            "baseline": [{"role": "assistant", "content": baseline.text}],
            "answer_model": answer.model,
            "baseline_model": baseline.model,
            "win": win,
            "decision": decision.status,
            "length_difference": len(answer.text) - len(baseline.text),
            "verdict": decision.verdict(a_chosen=True),
            "margin": decision.margin,
            **meter.columns,
        }
        return Outcome(
            status=KEPT if win is not None else "unparsed", reason=decision.reason, columns=columns
        )

    def _answers(self, row: Row) -> Asking[tuple[Candidate, Candidate] | Outcome]:
        """Both sides' answers, asked for where a side is an engine; or why there are not two."""
        for one in self._sides:
            if one.engine is None and row.prompt_id not in one.answers:
                return Outcome(status=MISSING, reason=f"{one.role}: no answer in {one.name}")
        request = answer_request(row, self._sampling, row.occurrence)
        asked = [s.role for s in self._sides if s.engine is not None]
        completions = (yield [request.model_copy(update={"role": role}) for role in asked]) if asked else []
        given = dict(zip(asked, completions, strict=True))
        found = []
        for one in self._sides:
            if one.engine is None:
                found.append(one.answers[row.prompt_id])
                continue
            completion = given[one.role]
            status, reason = answer_status(completion)
            if status != KEPT:
                return Outcome(status=status, reason=f"{one.role}: {reason}")
            found.append(Candidate(completion.text, completion.model or one.engine))
        return found[0], found[1]


def points(decision: Decision) -> float | None:
    """1 for a win, 0 for a loss, 1/2 for a tie: no preference that holds in both orders. None: unparsed."""
    if decision.status in ("unparsed", FAILED) or decision.preference is None:
        return None
    return 0.5 + side(decision.preference) / 2 if decision.status == KEPT else 0.5
