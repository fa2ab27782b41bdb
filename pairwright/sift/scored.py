"""Pairs that scored answers make, as rows."""

from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import pstdev
from typing import Any

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.folders.manifest import InputInfo
from pairwright.folders.shards import as_table
from pairwright.inputs.beside import columns_beside
from pairwright.inputs.columns import PairsName
from pairwright.inputs.pairs import places_of_pairs
from pairwright.inputs.rows import input_sha256
from pairwright.inputs.scored import RankedRow, holds_scores, read_ranked
from pairwright.inputs.source import CHUNK
from pairwright.inputs.sources import open_kept
from pairwright.records import prompt_hash, stored
from pairwright.schema import CONVERSATION, calling
from pairwright.sift.joined import Joined
from pairwright.sift.whole import Block, WholeRow, passed_over

SD = "margin_sd"
"""Standard deviation, over several reward models, of how far each finds the answers of a pair apart."""


def are_scored(names: Sequence[str]) -> bool:
    """Return whether sources hold scored or ranked answers. Raises `UsageError` if only some do."""
    found = {name: holds_scores(open_kept(name)) is not None for name in names}
    if len(set(found.values())) > 1:
        scored, pairs = (next(n for n, is_one in found.items() if is_one == kind) for kind in (True, False))
        raise UsageError(f"{scored} holds scored answers and {pairs} holds pairs; name one kind")
    return any(found.values())


class ScoredRows:
    """Pairs of scored answers, one row each, with both scores and their difference as the margin.

    Where several reward models scored them, `margin_sd` says how far those disagree about it.
    """

    schema = pa.schema(
        [
            ("row_id", pa.string()),
            ("prompt_id", pa.string()),
            ("prompt", CONVERSATION),
            ("chosen", CONVERSATION),
            ("rejected", CONVERSATION),
            ("chosen_score", pa.float64()),
            ("rejected_score", pa.float64()),
            ("margin", pa.float64()),
        ]
    )

    def __init__(self, sources: Sequence[str], pairs: PairsName, limit: int | None, skip: int = 0) -> None:
        """`limit` is the most pairs in all. Up to `skip` rows that cannot be read are passed over.

        Raises `UsageError` for one more, naming it.
        """
        self._sources, self._pairs, self._limit, self._skip = tuple(sources), pairs, limit, skip
        joined = Joined([open_kept(name) for name in sources])
        count, beside, calls, several = 0, set[str](), False, False
        for row in self.whole():
            count += 1
            if row.problem is not None:
                continue
            several = several or SD in row.columns
            beside |= row.columns.keys() - {SD, *self.schema.names}
            calls |= any(len(message) > 2 for message in row.columns["prompt"])
        if calls or beside:
            self.schema = pa.schema(
                [*calling(self.schema), *((name, pa.string()) for name in sorted(beside))]
            )
        if several:
            self.schema = self.schema.append(pa.field(SD, pa.float64()))
        self.info = InputInfo(path=", ".join(sources), sha256=input_sha256(joined, limit), rows=count)

    def whole(self) -> Iterator[WholeRow]:
        """Yield every pair, prompts in order of first appearance, and rows that could not be read.

        A prompt with one answer makes a pair of it and itself, whose margin is 0 like that of all ties.
        """
        pairs = 0
        for found in read_ranked(self._sources, skip=self._skip):
            for row in self._of(found):
                if row.problem is None:
                    if pairs == self._limit:
                        return
                    pairs += 1
                yield row

    def blocks(self) -> Iterator[Block]:
        """Yield every pair, many at once."""
        rows = self.whole()
        while some := list(islice(rows, CHUNK)):
            problems = {place: row.problem for place, row in enumerate(some) if row.problem is not None}
            table = as_table([row.columns for row in some], self.schema)
            yield Block([row.where for row in some], table, problems)

    def _of(self, row: RankedRow | UsageError) -> Iterator[WholeRow]:
        if isinstance(row, UsageError):
            bad = passed_over(str(row))
            yield WholeRow(bad["row_id"], bad, str(row))
            return
        for better, worse in places_of_pairs(row.scores, self._pairs):
            high, low = row.scores[better], row.scores[worse]
            row_id = f"{row.row_id} {better + 1}>{worse + 1}"
            columns: dict[str, Any] = {
                "row_id": row_id,
                "prompt_id": prompt_hash(row.prompt),
                "prompt": stored(row.prompt),
                **columns_beside(row.prompt),
                "chosen": [{"role": "assistant", "content": row.answers[better]}],
                "rejected": [{"role": "assistant", "content": row.answers[worse]}],
                "chosen_score": high,
                "rejected_score": low,
                "margin": high - low,
            }
            if row.members:
                apart = zip(row.members[better], row.members[worse], strict=True)
                columns[SD] = pstdev(one - other for one, other in apart)
            yield WholeRow(row_id, columns)
