"""The stage of a tournament: the answers to a prompt, and every two of them compared."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from judge.comparable import same
from judge.comparison.bradley_terry import Pair, all_pairs
from judge.comparison.config import WinrateConfig
from judge.comparison.design import Standing
from judge.comparison.matching import Side
from judge.comparison.stage import answers_of, points, told_columns
from judge.jury.jury import Jury
from judge.jury.protocol import Case
from pairwright.engines.thoughts import Marks
from pairwright.errors import UsageError
from pairwright.inputs.row import Candidate, Row
from pairwright.inputs.rows import Input
from pairwright.records import IDENTICAL, KEPT, MISSING, UNPARSED, Outcome, Sampling
from pairwright.schema import MET
from pairwright.stages.asking import Meter
from pairwright.stages.stage import Work

ERROR_RATE = 0.05
"""Of what a tournament in rounds says, where nothing else is asked."""
SETTLED = "settled"
"""Status of prompts that were not needed."""


class TournamentStage:
    """One item is one prompt; it becomes a row for every two models that meet on it."""

    name = "winrate"
    samples = 1

    def __init__(
        self, config: WinrateConfig, sides: Sequence[Side], sampling: Sampling, marks: Sequence[Marks]
    ) -> None:
        self.jury = Jury(config)
        self.reads_logprobs = self.jury.reads_logprobs
        self.schema = self.jury.widened(MET)
        self._sides = sides
        self._sampling = sampling
        self._marks = marks
        engines = {s.name: s.spec for s in sides if s.engine}
        self.roles: Mapping[str, str] = {**engines, **self.jury.roles}
        self.templates: Mapping[str, str] = self.jury.templates
        self.pairs = all_pairs(len(sides))

    def check(self, rows: Input) -> None:
        """Require for every two models a prompt that both can be compared on."""
        self.jury.check(rows)
        given = [{c.column for c in row.candidates} for row in rows]
        for a, b in self.pairs:
            needed = {s.name for s in (self._sides[a], self._sides[b]) if not s.engine}
            if not any(needed <= there for there in given):
                raise UsageError(
                    f"{rows.info.path}: no prompt has an answer of {self._sides[a].spec} and of "
                    f"{self._sides[b].spec}; prompts are matched by their whole text and roles"
                )

    def work(self, row: Row, sample: int) -> Work:
        """Gather the answers and compare them in pairs. An answer that was cut off counts as it stands."""
        if not self.pairs:
            return Outcome(status=SETTLED, reason="who can be told apart was told apart before")
        meter = Meter("judge")
        given = {c.column for c in row.candidates}
        there = [s.engine or s.name in given for s in self._sides]
        pairs = [pair for pair in self.pairs if there[pair[0]] and there[pair[1]]]
        if not pairs:
            return Outcome(status=MISSING, reason="no two of those who are to meet have an answer")
        numbers = sorted({n for pair in pairs for n in pair})
        wanted = [self._sides[n] for n in numbers]
        found = yield from meter.counting(answers_of(row, wanted, self._sampling, self._marks))
        answers = {n: found[self._sides[n].name] for n in numbers}
        rows = yield from meter.counting(self._meetings(row, answers, pairs))
        rows[0] |= meter.columns
        for further in rows[1:]:
            further |= meter.free
        if all(columns["points"] is None for columns in rows):
            return Outcome(status=UNPARSED, reason="no verdict on any two answers", columns=rows[0])
        return Outcome(status=KEPT, columns=rows[0], further=tuple(rows[1:]))

    def _meetings(self, row: Row, answers: Mapping[int, Candidate], pairs: Sequence[Pair]) -> Any:
        """A row of every pair, decided at once."""
        place = {n: at for at, n in enumerate(answers)}
        case = yield from self.jury.prepared(Case.of(row, [answers[n].text for n in answers]))
        asked = [(a, b) for a, b in pairs if not same(answers[a].text, answers[b].text)]
        decisions = {}
        if asked:
            found = yield from self.jury.decide(case, [(place[a], place[b]) for a, b in asked])
            decisions = dict(zip(asked, found, strict=True))
        rows = []
        for a, b in pairs:
            columns = told_columns(answers[a], answers[b])
            columns |= self.jury.columns(case)
            columns |= {"side_a": self._sides[a].spec, "side_b": self._sides[b].spec}
            decision = decisions.get((a, b))
            if decision is None:
                columns |= {"points": 0.5, "decision": IDENTICAL}
            else:
                unread = decision.status == UNPARSED
                columns |= {"verdict": decision.verdict(a_chosen=True), "decision": decision.status}
                columns["points"] = None if unread else points(decision)
            rows.append(columns)
        return rows


class TournamentInRounds(TournamentStage):
    """A tournament whose rounds compare only the models that earlier rounds did not tell apart."""

    def __init__(
        self, config: WinrateConfig, sides: Sequence[Side], sampling: Sampling, marks: Sequence[Marks]
    ) -> None:
        super().__init__(config, sides, sampling, marks)
        self._sparse = config.design != "all"
        self._error_rate = config.until or ERROR_RATE

    def begin_round(self, before: Iterable[pa.Table], items_left: int) -> None:
        """Choose the pairs that meet next."""
        standing = standing_after(before, self._sides, self._error_rate)
        self.pairs = standing.to_ask(items_left, sparse=self._sparse)


def standing_after(rounds: Iterable[pa.Table], sides: Sequence[Side], error_rate: float | None) -> Standing:
    """Return what is known after these rounds."""
    standing = Standing(len(sides), error_rate)
    numbers = {s.spec: n for n, s in enumerate(sides)}
    for table in rounds:
        found: dict[Pair, list[float]] = {}
        for a, b, p in zip(*(table[n].to_pylist() for n in ("side_a", "side_b", "points")), strict=True):
            if p is not None:
                found.setdefault((numbers[a], numbers[b]), []).append(p)
        standing.add(found)
    return standing
