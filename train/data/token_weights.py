"""Token weights of a pair: one for tokens that differ, another for tokens that both answers share.

Which differ is found on the token ids themselves, by a longest common subsequence, so it is exact whatever
the text looks like. Free of torch and numpy until a pair is weighed.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.columns import weight_of
from pairwright.inputs.pairs import PairRow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from train.data.split import TokenIds, Weights

    Changed = npt.NDArray[np.bool_]

_FORM = "changed:W, changed:W,common:V, or the name of a column of numbers W"


class TokenWeights(NamedTuple):
    """Weights of the tokens that an answer has alone, and of those that are common to both."""

    changed: float | str
    """A number, or the column that holds one for each row."""
    common: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "TokenWeights":
        """Read `changed:W`, `changed:W,common:V` or `COLUMN`, which is `changed:COLUMN`.

        Raises `UsageError` for anything else, and for weights that leave nothing.
        """
        given: dict[str, str] = {}
        for part in (p.strip() for p in (text if ":" in text else f"changed:{text}").split(",")):
            name, colon, value = part.partition(":")
            if name not in cls._fields or not colon or not value or name in given:
                raise UsageError(f"token_weight {text!r}: write {_FORM}")
            given[name] = value
        changed, common = (_number(given.get(name, "1")) for name in cls._fields)
        if isinstance(common, str):
            raise UsageError(f"token_weight {text!r}: common is a number, 0 or more")
        if not all(isinstance(value, str) or 0 <= value < math.inf for value in (changed, common)):
            raise UsageError(f"token_weight {text!r}: weights are finite numbers, 0 or more")
        if changed == 0 and common == 0:
            raise UsageError(f"token_weight {text!r}: no token would count")
        return cls(changed, common)

    def of(self, row: PairRow, chosen: "TokenIds", rejected: "TokenIds") -> tuple["Weights", "Weights"]:
        """Return the weights of both answers' tokens. Raises `UsageError`, naming row and column."""
        import numpy as np

        weight = self._changed_of(row)
        first, second = (
            np.where(changed_L, weight, self.common).astype(np.float32)
            for changed_L in changed_tokens(chosen, rejected)
        )
        return first, second

    def _changed_of(self, row: PairRow) -> float:
        if not isinstance(self.changed, str):
            return self.changed
        if self.changed not in row.columns:
            raise UsageError(f"{row.where}: no column `{self.changed}`, which token_weight names")
        return weight_of(row.columns[self.changed], self.changed, row.where)


def changed_tokens(chosen: "TokenIds", rejected: "TokenIds") -> tuple["Changed", "Changed"]:
    """Return masks (L,) of the tokens in which two answers differ, by a longest common subsequence."""
    import numpy as np
    from rapidfuzz.distance import LCSseq

    changed = np.ones(len(chosen), np.bool_), np.ones(len(rejected), np.bool_)
    for step in LCSseq.opcodes(chosen.tolist(), rejected.tolist()):
        if step.tag == "equal":
            changed[0][step.src_start : step.src_end] = False
            changed[1][step.dest_start : step.dest_end] = False
    return changed


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
