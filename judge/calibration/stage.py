"""The stage of `calibrate`: judges a labelled pair, and attacks the judge where it is right."""

from collections.abc import Mapping

from judge.calibration.attacks import drawn_attacks, load_attacks
from judge.calibration.config import CalibrateConfig
from judge.calibration.perturbations import COLUMN as PERTURBATIONS
from judge.calibration.perturbations import Perturbations
from judge.comparable import aside, same
from judge.jury.jury import Jury
from judge.jury.protocol import Case
from judge.jury.verdict import Decision, Vote, side
from pairwright.engines.thoughts import read_marks
from pairwright.errors import UsageError
from pairwright.inputs.candidates import without_thought
from pairwright.inputs.columns import LABELLED
from pairwright.inputs.row import Candidate, Row
from pairwright.inputs.rows import Input
from pairwright.inputs.scored import preferred
from pairwright.pairs.columns import sides
from pairwright.records import IDENTICAL, KEPT, TIE, UNPARSED, Outcome
from pairwright.schema import CALIBRATED
from pairwright.stages.asking import Asking, Meter
from pairwright.stages.stage import Work

PREFERENCE = LABELLED[-1]


class CalibrateStage:
    """One item is one labelled pair."""

    name = "calibrate"
    samples = 1

    def __init__(self, config: CalibrateConfig) -> None:
        self.jury = Jury(config)
        self.reads_logprobs = self.jury.reads_logprobs
        self.schema = self.jury.widened(CALIBRATED)
        self.roles: Mapping[str, str] = self.jury.roles
        self.templates: Mapping[str, str] = self.jury.templates
        self._perturbations = None if config.perturb is None else Perturbations(config, self.jury)
        if self._perturbations is not None:
            self.schema = self.schema.append(PERTURBATIONS)
            self.templates = {**self.templates, **self._perturbations.templates}
        self._marks = read_marks(config.thinking_tags)
        self._wanted = config.attacks
        self._by = config.by
        self._attacks = load_attacks()

    def check(self, rows: Input) -> None:
        """Require two answers and a label of every row."""
        self.jury.check(rows)
        if self._by is not None and self._by not in rows.columns:
            names = ", ".join(f"`{name}`" for name in rows.columns) or "none"
            raise UsageError(f"{rows.info.path}: no column `{self._by}` (--by); beside the pairs: {names}")
        for number, row in enumerate(rows, start=1):
            if row.problem is not None:
                continue
            where = f"{rows.info.path} row {number}"
            if (count := len(row.candidates)) != 2:
                raise UsageError(
                    f"{where}: {count} answer{'' if count == 1 else 's'} and not two; calibration wants "
                    "`chosen` and `rejected`, or `response_a`, `response_b` and `preference`"
                )
            labelled(row, where)

    def work(self, row: Row, sample: int) -> Work:
        """Judge the pair; where the judge is right, try to change its verdict."""
        pair = labelled(row, row.row_id)
        if pair is None:
            return Outcome(status=TIE, reason="the label says that neither is better")
        chosen, rejected = (without_thought(answer, self._marks) for answer in pair)
        meter = Meter("judge")
        if same(chosen.text, rejected.text):
            reason = f"both answers are the same{aside(chosen.text, rejected.text)}"
            return Outcome(status=IDENTICAL, reason=reason, columns=sides(chosen, rejected))
        case = yield from meter.counting(self.jury.prepared(Case.of(row, [chosen.text, rejected.text])))
        [decision] = yield from meter.counting(self.jury.decide(case, [(0, 1)]))
        right = decision.preference is not None and side(decision.preference) > 0
        attacks = (yield from meter.counting(self._attack(case, decision))) if right else []
        columns = {
            **sides(chosen, rejected),
            "verdict": decision.verdict(a_chosen=True),
            "margin": decision.margin,
            "decision": decision.status,
            "attacks": attacks,
            **self.jury.columns(case),
            **meter.columns,
        }
        if self._perturbations is not None and decision.preference is not None:
            moved = yield from meter.counting(self._perturbations.of(case, decision))
            columns |= {PERTURBATIONS.name: [change._asdict() for change in moved], **meter.columns}
        if decision.preference is None:
            return Outcome(status=UNPARSED, reason=decision.reason, columns=columns)
        return Outcome(status=KEPT, columns=columns)

    def _attack(self, case: Case, clean: Decision) -> Asking[list[dict[str, object]]]:
        """Ask again with each attack in the worse answer."""
        chosen, rejected = case.texts
        found = []
        for attack in drawn_attacks(self._attacks, self._wanted, case.row_id):
            texts = (chosen, attack.applied(rejected))
            attacked = case._replace(row_id=f"{case.row_id} {attack.name}", texts=texts)
            [decision] = yield from self.jury.decide(attacked, [(0, 1)])
            found.append(_trial(attack.name, clean, decision))
        return found


def labelled(row: Row, where: str) -> tuple[Candidate, Candidate] | None:
    """Return the answer that people prefer and the other one; None for a tie. Raises `UsageError`."""
    a, b = row.candidates
    if (a.column, b.column) == ("chosen", "rejected"):
        return a, b
    if PREFERENCE not in row.columns:
        raise UsageError(
            f"{where}: no `{PREFERENCE}` says which of `{a.column}` and `{b.column}` is better"
        )
    better = preferred(row.columns[PREFERENCE], where, [str(a.column or "a"), str(b.column or "b")])
    return None if better is None else ((a, b), (b, a))[better]


def _trial(name: str, clean: Decision, attacked: Decision) -> dict[str, object]:
    """One attack: how it ended, and of the single verdicts that were right, how many now are wrong."""
    votes = zip(clean.votes, attacked.votes, strict=True)
    were_right = [now for before, now in votes if _favours(before) > 0]
    return {
        "name": name,
        "preference": attacked.preference,
        "fooled": sum(_favours(now) < 0 for now in were_right),
        "verdicts": len(were_right),
    }


def _favours(vote: Vote) -> int:
    return 0 if vote.probability is None else side(vote.probability)
