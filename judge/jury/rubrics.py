"""Rubrics: a row's own, or a checklist that a judge writes once for each prompt."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from judge.jury.config import SCORING, Judge
from judge.jury.protocol import Case, loaded, rendered
from pairwright.errors import UsageError
from pairwright.inputs.rows import Input
from pairwright.records import Request, Sampling
from pairwright.stages.asking import Asking

WRITE = "write"
COLUMN = pa.field("rubric", pa.string())
"""Where a rubric that was written is kept."""
_ROLE = "rubric"
_TEMPLATE = "judge_rubric"
_MOST_TOKENS = 512
_TEXTS = ("criterion", "text", "title", "description", "requirement", "question")
_WEIGHTS = ("points", "weight")


class Rubrics:
    """Gives every case its rubric."""

    def __init__(self, source: str, judges: Sequence[Judge]) -> None:
        """`source` is `write` or a column. Raises `UsageError` when no judge is asked in words."""
        speaking = [judge for judge in judges if judge.protocol not in SCORING]
        if not speaking:
            raise UsageError(
                f"--rubric {source}: a reward model or function is given no prompt; leave it out"
            )
        self._column = None if source == WRITE else source
        self.roles: Mapping[str, str] = {} if self._column else {_ROLE: speaking[0].spec}
        self.templates: Mapping[str, str] = {}
        if self._column is None:
            self._template = loaded(_TEMPLATE, ("prompt", "row", "rubric"))
            self.templates = {_TEMPLATE: self._template.text}

    def check(self, rows: Input) -> None:
        """Raise `UsageError` when a row lacks its rubric."""
        if self._column is None:
            return
        rows.require_column(self._column, f"--rubric {self._column}")
        for number, row in enumerate(rows, start=1):
            if row.problem is None and not as_text(row.columns.get(self._column)):
                raise UsageError(
                    f"{rows.info.path} row {number}: `{self._column}` is empty, and --rubric names it; "
                    "fill it in, or give --rubric write"
                )

    def widened(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema with a column for rubrics, where they are written."""
        return schema if self._column else schema.append(COLUMN)

    def columns(self, case: Case) -> dict[str, str | None]:
        """Return the written rubric as a column; one of the row's own is carried along as it is."""
        return {} if self._column else {COLUMN.name: case.rubric}

    def of(self, case: Case) -> Asking[Case]:
        """Return the case with its rubric, which is requested once for each prompt."""
        if self._column:
            return case._replace(rubric=as_text(case.columns.get(self._column)))
        request = Request(
            role=_ROLE,
            messages=rendered(self._template, **case.shown),
            sampling=Sampling(max_tokens=_MOST_TOKENS, temperature=0.0),
            template=self._template.hash,
        )
        [completion] = yield [request]
        return case._replace(rubric=completion.text.strip())


def as_text(value: Any) -> str:
    """Return a rubric as text: as it stands, or one line for each criterion of a list, with its weight."""
    if value is None:
        return ""
    if not isinstance(value, list | tuple):
        return str(value).strip()
    return "\n".join(f"- {line}" for line in map(_criterion, value) if line)


def _criterion(item: Any) -> str:
    if not isinstance(item, Mapping):
        return "" if item is None else str(item).strip()
    text = next((str(item[name]).strip() for name in _TEXTS if item.get(name)), "")
    weight = next((item[name] for name in _WEIGHTS if item.get(name) is not None), None)
    return text if weight is None or not text else f"{text} (weight {weight:g})"
