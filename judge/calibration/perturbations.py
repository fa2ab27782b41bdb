"""Changes of a question that should not change the verdict, for `calibrate --perturb`."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pyarrow as pa

from judge.calibration.config import CalibrateConfig
from judge.jury.config import names
from judge.jury.jury import Jury
from judge.jury.protocol import Case
from judge.jury.verdict import Decision, side
from pairwright.errors import UsageError
from pairwright.stages.asking import Asking

ORDER, INSTRUCTION = "order", "instruction"
_REWORDED = {"judge": "judge_reworded", "judge_score": "judge_score_reworded"}
"""Our templates in other words."""


def _labels(case: Case) -> Case:
    return case._replace(row_id=f"{case.row_id} other labels")


def _format(case: Case) -> Case:
    chosen, rejected = case.texts
    return case._replace(texts=(chosen, f"## Answer\n\n{rejected}\n\n---"))


def _verbosity(case: Case) -> Case:
    chosen, rejected = case.texts
    before = "Here is an answer to the question that was asked."
    after = "This concludes the answer to the question that was asked, which is given in full above."
    return case._replace(texts=(chosen, f"{before}\n\n{rejected}\n\n{after}"))


_CHANGES: Mapping[str, Callable[[Case], Case]] = {
    "labels": _labels,
    INSTRUCTION: lambda case: case,
    "format": _format,
    "verbosity": _verbosity,
}
"""`labels`: other letters, and another code in the tags. `instruction`: our template in other words.
`format`: a heading over the answer that people like less. `verbosity`: words around it that say nothing."""
NAMES = (ORDER, *_CHANGES)
COLUMN = pa.field(
    "perturbations",
    pa.list_(pa.struct([("name", pa.string()), ("before", pa.float64()), ("after", pa.float64())])),
)
"""Probability that the answer which people prefer is better, before and after each change."""


class Moved(NamedTuple):
    """A judge's probability for the first answer before and after one change of the question."""

    name: str
    before: float | None
    after: float | None


class Perturbations:
    """Asks again with one change of the question at a time."""

    def __init__(self, config: CalibrateConfig, jury: Jury) -> None:
        """Read the names of the changes. Raises `UsageError` for an unknown one."""
        wanted = NAMES if config.perturb == "all" else tuple(names(config.perturb))
        if unknown := [name for name in wanted if name not in NAMES]:
            raise UsageError(f"--perturb {unknown[0]}: choose all, or some of {', '.join(NAMES)}")
        self._wanted = wanted
        self._jury = jury
        self._reworded: Jury | None = None
        self.templates: Mapping[str, str] = {}
        ours = [_REWORDED[name] for name in jury.templates if name in _REWORDED]
        if INSTRUCTION in wanted and config.perturb != "all" and len(ours) != 1:
            raise UsageError(
                "--perturb instruction: rewords a built-in template where it is the only one, and here it "
                "is not; name other perturbations"
            )
        if INSTRUCTION in wanted and len(ours) == 1:
            self._reworded = Jury(config.model_copy(update={"judge_template": ours[0]}))
            self.templates = self._reworded.templates

    def of(self, case: Case, clean: Decision) -> Asking[list[Moved]]:
        """Find the probability for the first answer, before and after each of the changes."""
        found = list(self._by_order(clean)) if ORDER in self._wanted else []
        for name, change in _CHANGES.items():
            jury = self._reworded if name == INSTRUCTION else self._jury
            if name not in self._wanted or jury is None:
                continue
            [decision] = yield from jury.decide(change(case), [(0, 1)])
            found.append(Moved(name, clean.preference, decision.preference))
        return found

    def _by_order(self, clean: Decision) -> list[Moved]:
        """What the judges say with the first answer in front, and with it behind; nothing is asked."""
        sides: dict[bool, list[float]] = {True: [], False: []}
        for vote in clean.votes:
            if vote.a_first is not None and vote.probability is not None:
                sides[vote.a_first].append(vote.probability)
        front, behind = (sum(p) / len(p) if p else None for p in sides.values())
        return [] if front is None or behind is None else [Moved(ORDER, front, behind)]


def turned(before: float, after: float) -> bool:
    """Return whether the judge favours another side than before, or neither any more."""
    return side(before) != side(after)
