"""Inputs in which a row of work is a prompt with all the answers to it."""

from collections.abc import Iterator, Mapping
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from pairwright.inputs.columns import Columns, parse_row, sibling_columns
from pairwright.inputs.rows import Candidate, Input, Parsed, Row
from pairwright.records import content_hash
from pairwright.schema import ANSWER


class Candidates(Input):
    """Prompts, each with its candidates.

    They stand side by side (`--columns a,b`, or columns such as `response_a` and `response_b`), or
    in rows of one answer that follow each other and have the same prompt, as `sample` writes them.
    `limit` counts prompts.
    """

    limit_counts_rows = False

    @property
    def side_by_side(self) -> bool:
        """Whether each row of the source holds all answers to its prompt."""
        return bool(self._columns.answers)

    def _chosen(self, names: list[str], wanted: Columns, answers: bool) -> tuple[Columns, list[str]]:
        """The columns to read; of grouped rows, what belongs to one answer alone is not carried."""
        if not wanted.answers and wanted.answer is None:
            wanted = wanted._replace(answers=sibling_columns(names))
        columns, rest = super()._chosen(names, wanted, answers)
        return columns, rest if columns.answers else [n for n in rest if n not in ANSWER.names]

    def _row(self, parsed: Parsed, occurrence: int) -> Row:
        _, prompt, _, carried, candidates = parsed
        prompt_id = content_hash([m.model_dump() for m in prompt])[:16]
        row_id = content_hash([prompt_id, [c.text for c in candidates], occurrence])[:16]
        return Row(row_id, prompt_id, occurrence, prompt, None, carried, candidates)

    def _parsed(self) -> Iterator[Parsed]:
        return islice(self._wide() if self.side_by_side else self._grouped(), self._limit)

    def _wide(self) -> Iterator[Parsed]:
        """Each row with the answers in its columns; an empty one is none."""
        for where, record in self._source:
            candidates = []
            for name in self._columns.answers:
                prompt, text = parse_row(record, self._columns._replace(answer=name), where)
                if text is not None:
                    candidates.append(Candidate(text, _model_behind(name, record), name))
            yield Parsed(where, prompt, None, self._rest(record), tuple(candidates))

    def _grouped(self) -> Iterator[Parsed]:
        """Neighbouring rows of one prompt, in the place and with the other columns of the first."""
        parsed = ((where, r, *parse_row(r, self._columns, where)) for where, r in self._source)
        for prompt, group in groupby(parsed, key=itemgetter(2)):
            rows = list(group)
            candidates = tuple(
                Candidate(answer, _text(record.get("completion_model")))
                for _, record, _, answer in rows
                if answer is not None
            )
            where, first, _, _ = rows[0]
            yield Parsed(where, prompt, None, self._rest(first), candidates)


def _model_behind(column: str, record: Mapping[str, Any]) -> str | None:
    """The model that wrote a column: `chosen_model`, `model_a` for `response_a`, or the column's name."""
    suffix = column.rpartition("_")[2]
    for name in (f"{column}_model", f"model_{suffix}"):
        if (found := _text(record.get(name))) is not None:
            return found
    return column


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
