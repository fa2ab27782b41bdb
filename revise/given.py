"""Pairs that others made, read as rows of work."""

from pairwright.errors import UsageError
from pairwright.folders.ownership import RESERVED
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import PAIR, Columns, listed
from pairwright.inputs.row import Candidate, Parsed
from pairwright.inputs.scored import holds_scores
from pairwright.inputs.source import Record
from pairwright.schema import MEASURES, VERIFIED

MADE = frozenset(
    {"row_id", "prompt_id", "prompt", "chosen", "rejected", "prompt_tokens", "completion_tokens"}
    | {name for name, _ in (*MEASURES, *VERIFIED)}
)
"""What is made anew of every pair; the rest of a run's columns stays as that run wrote it."""
_ALSO_CALLED = {"chosen": ("edited",), "rejected": ("draft",)}
"""Other names of the two sides: what users of a product made of what it wrote."""


def _by_convention(side: str, names: list[str]) -> str:
    """The column of a side by convention; the side's own name where there is none."""
    return next((name for name in (side, *_ALSO_CALLED[side]) if name in names), side)


class GivenPairs(Candidates):
    """Pairs as rows of work: the first candidate is chosen, the second rejected.

    A run's own columns are carried as they are, but for those made anew.
    """

    def _chosen(self, names: list[str], wanted: Columns, answers: bool) -> tuple[Columns, list[str]]:
        asked = dict(zip(PAIR, wanted.answers, strict=True))
        asked = {  # rows of drafts are read as pairs
            side: side if name not in names and name in _ALSO_CALLED[side] else name
            for side, name in asked.items()
        }
        found = {side: asked[side] or _by_convention(side, names) for side in PAIR}
        if found[PAIR[0]] not in names and holds_scores(self._source):
            raise UsageError(
                f"{self._path}: holds answers with labels or scores, and no pairs; `pairwright export "
                f"{self._path} --to trl --out PAIRS` makes pairs of them, which gate takes"
            )
        for side, name in found.items():
            if names and name not in names:
                raise UsageError(
                    f"{self._path}: no column `{name}` (--{side}_column); its columns are {listed(names)}"
                )
        columns, rest = super()._chosen(names, wanted._replace(answers=tuple(found.values())), answers)
        own = self._source.own or frozenset()
        return columns, [name for name in rest if name not in own & MADE]

    def _ours(self) -> frozenset[str]:
        return RESERVED if self._source.own is None else frozenset()

    def _wide(self, where: str, record: Record) -> Parsed:
        """A row with both sides; one that says nothing is kept, so that its row is counted."""
        parsed = super()._wide(where, record)
        given = {candidate.column: candidate for candidate in parsed.candidates}
        both = tuple(given.get(name, Candidate("", column=name)) for name in self._columns.answers)
        return parsed._replace(candidates=both)
