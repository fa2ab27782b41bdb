"""Rubrics: a row's own, or a checklist that a judge writes once for each prompt."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from judge.jury.config import SCORING, Judge
from judge.jury.protocol import Case, loaded, rendered
from pairwright.errors import UsageError
from pairwright.inputs.rows import Input
from pairwright.records import KEPT, TRUNCATED, Request, Sampling
from pairwright.stages.asking import Asking
from pairwright.stages.sample import answer_status

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

    def __init__(self, source: str, judges: Sequence[Judge], reasoning_tokens: int) -> None:
        """`source` is `write` or a column. Raises `UsageError` when no judge is asked in words."""
        speaking = [judge for judge in judges if judge.protocol not in SCORING]
        if not speaking:
            raise UsageError(
                f"--rubric {source}: a reward model or function is given no prompt; leave it out"
            )
        self._column = None if source == WRITE else source
        self._reasoning_tokens = reasoning_tokens
        self.roles: Mapping[str, str] = {} if self._column else {_ROLE: speaking[0].spec}
        self.templates: Mapping[str, str] = {}
        if self._column is None:
            self._template = loaded(_TEMPLATE, ("prompt", "row", "rubric"))
            self.templates = {_TEMPLATE: self._template.text}

    def check(self, rows: Input) -> None:
        """Raise `UsageError` when a row lacks its rubric, or has one that cannot be read."""
        if self._column is None:
            return
        rows.require_column(self._column, f"--rubric {self._column}")
        for number, row in enumerate(rows, start=1):
            if row.problem is not None:
                continue
            where = f"{rows.info.path} row {number}: `{self._column}`"
            try:
                text = as_text(row.columns.get(self._column))
            except ValueError as error:
                raise UsageError(f"{where}: {error}") from None
            if not text:
                raise UsageError(
                    f"{where} is empty, and --rubric names it; fill it in, or give --rubric write"
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
        for tokens in (_MOST_TOKENS, _MOST_TOKENS + self._reasoning_tokens):
            request = Request(
                role=_ROLE,
                messages=rendered(self._template, **case.shown),
                sampling=Sampling(max_tokens=tokens, temperature=0.0),
                template=self._template.hash,
            )
            [completion] = yield [request]
            if completion.finish_reason != "length":
                break
        status, reason = answer_status(completion)
        if status == KEPT:
            return case._replace(rubric=completion.text.strip())
        if status == TRUNCATED:
            reason += "; a larger --reasoning_tokens gives it more room"
        return case._replace(rubric="", unwritten=reason)


def as_text(value: Any) -> str:
    """Return a rubric as text: as it stands, or one line for each criterion of a list, with its weight.

    An object is shown as JSON. Raises `ValueError` for a criterion that cannot be read.
    """
    if value is None:
        return ""
    if not isinstance(value, list | tuple):
        return _shown(value)
    lines = (_criterion(item, number) for number, item in enumerate(value, start=1))
    return "\n".join(f"- {line}" for line in lines if line)


def _criterion(item: Any, number: int) -> str:
    """One line for a criterion; empty for none."""
    if not isinstance(item, Mapping):
        return _shown(item)
    given = {name: value for name, value in item.items() if value is not None}
    text = next((shown for name in _TEXTS if (shown := _shown(given.get(name)))), "")
    if given and not text:
        keys = ", ".join(f"`{name}`" for name in given)
        raise ValueError(f"criterion {number} has {keys}; write its text as `criterion` or `text`")
    name = next((name for name in _WEIGHTS if name in given), None)
    return text if name is None else f"{text} (weight {_weight(given[name], name, number):g})"


def _weight(value: Any, name: str, number: int) -> float:
    try:
        weight = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if not math.isfinite(weight):
        raise ValueError(f"`{name}` of criterion {number} is {_shown(value)!r}; it must be a number")
    return weight


def _shown(value: Any) -> str:
    """A value as templates show it: objects and lists as JSON."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value).strip()
