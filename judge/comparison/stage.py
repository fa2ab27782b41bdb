"""The stage of `winrate`: two models' answers to a prompt, compared in both orders for one point."""

from collections.abc import Mapping, Sequence
from typing import Any

from judge.comparable import same
from judge.comparison.matching import Side
from judge.jury.config import JuryConfig
from judge.jury.jury import Jury
from judge.jury.protocol import Case
from judge.jury.verdict import Decision, side
from pairwright.engines.thoughts import KNOWN, Marks
from pairwright.errors import UsageError
from pairwright.inputs.candidates import without_thought
from pairwright.inputs.row import Candidate, Row
from pairwright.inputs.rows import Input
from pairwright.records import IDENTICAL, KEPT, MISSING, UNPARSED, Outcome, Sampling
from pairwright.schema import COMPARED
from pairwright.stages.asking import Asking, Meter
from pairwright.stages.sample import answer_request
from pairwright.stages.stage import Work


class WinrateStage:
    """One item is one prompt."""

    name = "winrate"
    samples = 1

    def __init__(
        self,
        config: JuryConfig,
        sides: tuple[Side, Side],
        sampling: Sampling,
        marks: Sequence[Marks] = KNOWN,
    ) -> None:
        self.jury = Jury(config)
        self.reads_logprobs = self.jury.reads_logprobs
        self.schema = self.jury.widened(COMPARED)
        self._sides = sides
        self._marks = marks
        self._sampling = sampling
        engines = {s.name: s.spec for s in sides if s.engine}
        self.roles: Mapping[str, str] = {**engines, **self.jury.roles}
        self.templates: Mapping[str, str] = self.jury.templates

    def check(self, rows: Input) -> None:
        """Require a prompt somewhere that both can be compared on."""
        self.jury.check(rows)
        needed = {s.name for s in self._sides if not s.engine}
        if not any(needed <= {c.column for c in row.candidates} for row in rows):
            a, b = (s.spec for s in self._sides)
            raise UsageError(
                f"{rows.info.path}: no prompt has an answer of {a} and of {b}; prompts are matched by "
                "their whole text and roles"
            )

    def work(self, row: Row, sample: int) -> Work:
        """Gather the two answers and compare them. An answer that was cut off counts as it stands."""
        meter = Meter("judge")
        answers = yield from meter.counting(answers_of(row, self._sides, self._sampling, self._marks))
        if missing := [s.spec for s in self._sides if s.name not in answers]:
            return Outcome(status=MISSING, reason=f"no answer of {' and of '.join(missing)}")
        a, b = answers["a"], answers["b"]
        columns = told_columns(a, b)
        if same(a.text, b.text):
            even = {"points": 0.5, "decision": IDENTICAL, **meter.columns}
            return Outcome(status=KEPT, columns=columns | even)
        case = yield from meter.counting(self.jury.prepared(Case.of(row, [a.text, b.text])))
        [decision] = yield from meter.counting(self.jury.decide(case, [(0, 1)]))
        columns |= {"verdict": decision.verdict(a_chosen=True), "decision": decision.status}
        columns |= meter.columns | self.jury.columns(case)
        if decision.status == "unparsed":
            return Outcome(status=UNPARSED, reason=decision.reason, columns=columns)
        return Outcome(status=KEPT, columns=columns | {"points": points(decision)})


def answers_of(
    row: Row, sides: Sequence[Side], sampling: Sampling, marks: Sequence[Marks]
) -> Asking[dict[str, Candidate]]:
    """Find the answers of these sides by name. No engine is asked where one that is given is missing."""
    found: dict[str, Candidate] = {c.column: without_thought(c, marks) for c in row.candidates if c.column}
    asked = [s for s in sides if s.engine]
    if not asked or any(not s.engine and s.name not in found for s in sides):
        return found
    completions = yield [
        answer_request(row, sampling, 0).model_copy(update={"role": s.name}) for s in asked
    ]
    for s, completion in zip(asked, completions, strict=True):
        model = completion.model or s.spec
        found[s.name] = Candidate(completion.text, model, s.name, completion.reasoning)
    return found


def told_columns(a: Candidate, b: Candidate) -> dict[str, Any]:
    """Return the columns of two answers that are compared."""
    return {
        "answer_a": [{"role": "assistant", "content": a.text}],
        "answer_b": [{"role": "assistant", "content": b.text}],
        "model_a": a.model,
        "model_b": b.model,
        "reasoning_a": a.reasoning,
        "reasoning_b": b.reasoning,
        "length_difference": len(a.text) - len(b.text),
    }


def points(decision: Decision) -> float:
    """Return the points of a: 1 for a win, 0 for a loss, 1/2 where judges prefer neither in both orders."""
    if decision.status != KEPT or decision.preference is None:
        return 0.5
    return 0.5 + side(decision.preference) / 2


def verdict_preference(row: Mapping[str, Any]) -> float:
    """Return the mean probability that a is better; 1/2 for equal answers."""
    verdict = row["verdict"]
    return 0.5 if verdict is None else float(verdict["preference"])
