"""Inputs in which a row of work is a prompt with all the answers to it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from pairwright.columns import Columns, parse_row, sibling_columns
from pairwright.inputs import Candidate, Input, Row
from pairwright.records import content_hash
from pairwright.schema import ANSWER


class Candidates(Input):
    """Prompts, each with its candidates.

    They stand side by side (`--columns a,b`, or columns such as `response_a` and `response_b`), or
    in rows of one answer that follow each other and have the same prompt, as `sample` writes them.
    `limit` counts prompts.
    """

    @property
    def side_by_side(self) -> bool:
        """Whether each row of the file holds all answers to its prompt."""
        return bool(self._columns.answers)

    def __iter__(self) -> Iterator[Row]:
        rows = self._wide() if self.side_by_side else islice(self._grouped(), self._most)
        seen: Counter[bytes] = Counter()
        for row in rows:
            content = [row.prompt_id, [c.text for c in row.candidates]]
            same = bytes.fromhex(content_hash(content)[:16])
            row_id = content_hash([*content, seen[same]])[:16]
            yield row._replace(row_id=row_id, occurrence=seen[same])
            seen[same] += 1

    def _found(self, names: list[str], wanted: Columns) -> Columns:
        if not wanted.answers and wanted.answer is None:
            wanted = wanted._replace(answers=sibling_columns(names))
        self._most = self._limit
        if not wanted.answers:
            self._limit = None  # it counts prompts, not rows
        return super()._found(names, wanted)

    def _wide(self) -> Iterator[Row]:
        for where, record in self._records():
            candidates = []
            for name in self._columns.answers:
                prompt, text = parse_row(record, self._columns._replace(answer=name), where)
                if text is not None:
                    candidates.append(Candidate(text, _model_behind(name, record), name))
            prompt_id = content_hash([m.model_dump() for m in prompt])[:16]
            yield Row("", prompt_id, 0, prompt, None, self._carried(record), tuple(candidates))

    def _grouped(self) -> Iterator[Row]:
        """Neighbouring rows of one prompt as one row; what belongs to one answer alone is left out."""
        for _, group in groupby(super().__iter__(), key=attrgetter("prompt_id")):
            rows = list(group)
            carried = {
                name: value
                for name, value in rows[0].carried.items()
                if name.removeprefix("input_") not in ANSWER.names
            }
            candidates = tuple(
                Candidate(row.answer, _text(row.carried.get("completion_model")))
                for row in rows
                if row.answer is not None
            )
            yield rows[0]._replace(answer=None, carried=carried, candidates=candidates)


def _model_behind(column: str, record: Mapping[str, Any]) -> str | None:
    """The model that wrote a column: `chosen_model`, `model_a` for `response_a`, or the column's name."""
    suffix = column.rpartition("_")[2]
    for name in (f"{column}_model", f"model_{suffix}"):
        if (found := _text(record.get(name))) is not None:
            return found
    return column


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
