"""The columns of a pair."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa

from pairwright.inputs.row import Candidate
from pairwright.pairs.minimality import Minimality, measure_all
from pairwright.schema import MEASURES

_UNMEASURED = (None,) * len(Minimality._fields)


def pair_columns(chosen: Candidate, rejected: Candidate) -> dict[str, Any]:
    """Return the columns of a pair but for its measures: both sides, and the models behind them."""
    return {**sides(chosen, rejected), "attempts": 1}


def add_measures(rows: Iterable[dict[str, Any]]) -> None:
    """Add measures to those of the rows that are pairs, all at once: a fifth of the time one by one takes.

    The kept share is that of rejected.
    """
    pairs = [row for row in rows if "chosen" in row]
    chosen, rejected = ([row[side][0]["content"] for row in pairs] for side in ("chosen", "rejected"))
    for row, found in zip(pairs, measure_all(chosen, rejected, original_is_chosen=False), strict=True):
        row.update(found._asdict())


def in_columns(measures: Sequence[Minimality | None]) -> dict[str, pa.Array]:
    """Return the measures of many pairs as columns; null where a pair was not measured."""
    kinds = dict(MEASURES)
    rows = [_UNMEASURED if found is None else found for found in measures]
    told: dict[str, list[Any]] = {
        name: [row[n] for row in rows] for n, name in enumerate(Minimality._fields)
    }
    spans, kind = told["changed_spans"], kinds.pop("changed_spans")
    flat = list(chain.from_iterable(filter(None, spans)))
    fields = [pa.array([span[n] for span in flat], f.type) for n, f in enumerate(kind.value_type)]
    offsets = [0, *accumulate(len(found or ()) for found in spans)]
    columns = {name: pa.array(told[name], of) for name, of in kinds.items()}
    columns["changed_spans"] = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.StructArray.from_arrays(fields, fields=[*kind.value_type]),
        type=kind,
        mask=pa.array([found is None for found in spans]),
    )
    return columns


def sides(chosen: Candidate, rejected: Candidate) -> dict[str, Any]:
    """Return the columns of both sides: the answers, the models behind them, and their thoughts."""
    return {
        "chosen": [{"role": "assistant", "content": chosen.text}],
        "rejected": [{"role": "assistant", "content": rejected.text}],
        "chosen_model": chosen.model,
        "rejected_model": rejected.model,
        "chosen_reasoning": chosen.reasoning,
        "rejected_reasoning": rejected.reasoning,
    }
