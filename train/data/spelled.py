"""Warnings of data that spells a special token: it is encoded as plain text, as in sampling.

Mostly another tool left it there: an answer that ends in `<|im_end|>`, which a model would learn to write
in letters before it ends its turn.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pairwright.inputs.pairs import PairRow
from pairwright.models.controls import control_ids
from train.devices.processes import is_first

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)


class Spelled:
    """Counts the rows in whose answers special tokens are spelled out."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        longest_first = sorted(map(re.escape, control_ids(tokenizer)), key=len, reverse=True)
        self._pattern = re.compile("|".join(longest_first) or r"(?!)")
        self._rows = 0
        self._first = ""

    def look(self, row_id: str, answers: Iterable[str]) -> None:
        """Look at the answers of a row."""
        found = next(filter(None, map(self._pattern.search, answers)), None)
        if found is None:
            return
        self._first = self._first or f"the first: `{found[0]}` in row {row_id}"
        self._rows += 1

    def warn(self) -> None:
        """Warn if anything was found."""
        if self._rows and is_first():
            log.warning(
                "rows with answers that spell a special token of this model: %d (%s). It is taken as plain "
                "text, never as the token; take it out of the data if another tool left it there",
                self._rows,
                self._first,
            )


def looked_at(rows: Iterable[PairRow], tokenizer: "PreTrainedTokenizerBase") -> Iterator[PairRow]:
    """Yield the rows, and warn of special tokens in their answers once all are read."""
    spelled = Spelled(tokenizer)
    for row in rows:
        if row.problem is None:
            spelled.look(row.row_id, (row.chosen.content, row.rejected.content))
        yield row
    spelled.warn()
