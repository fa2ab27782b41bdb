"""`selection.json`: the rules and counts of a selection, for its report."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pairwright.figures.spread import bins_for, spread_over
from pairwright.records import Record
from train.selection.measures import Floats
from train.selection.table import PairTable

SELECTION = "selection.json"
_ENDS = 3
"""Pairs shown from either end of a measure."""
_LONGEST = 1500
"""Characters of each of their texts."""
_SHOWN = (
    *("ches_normalized", "ches", "implicit_margin", "dcrm", "margin", "length_difference"),
    *("logp_chosen", "logp_rejected", "surprise_chosen", "surprise_rejected"),
)


class RuleRecord(Record):
    """The effect of one rule."""

    rule: str
    """The setting with its value."""
    by: str
    """The number it goes by; empty for a quota."""
    limit: float | None
    taken: int
    """Pairs that it takes away: a rule about measures by itself, a quota of what was left before it."""


class SelectionRecord(Record):
    """A selection in numbers."""

    pairs: int
    """Rows that are pairs to train on."""
    kept: int
    down_weighted: int
    """Pairs that are kept with `--weight` in place of being dropped."""
    rules: tuple[RuleRecord, ...]
    measures: dict[str, dict[str, Any]]
    """By name, the spread of `all` pairs and of the `kept` ones, over the same bins."""
    ends: dict[str, dict[str, list[dict[str, Any]]]]
    """By name, the pairs with the `lowest` and the `highest` values: texts and value."""


def record_of(
    table: PairTable, kept: Sequence[int], rules: Sequence[RuleRecord], down_weighted: int
) -> SelectionRecord:
    """Return the record of a selection that keeps pairs `kept`, which are numbers of pairs of the table."""
    shown = [name for name in (*_SHOWN, *table.numbers) if name in table.numbers and name != "tokens"]
    shown = [name for name in dict.fromkeys(shown) if not np.isnan(table.numbers[name]).all()]
    return SelectionRecord(
        pairs=len(table.places),
        kept=len(kept),
        down_weighted=down_weighted,
        rules=tuple(rules),
        measures={name: _spreads(table.numbers[name], kept) for name in shown},
        ends={name: _ends(table, table.numbers[name]) for name in shown if not name.startswith("tokens")},
    )


def _spreads(values_P: Floats, kept: Sequence[int]) -> dict[str, Any]:
    every = values_P[~np.isnan(values_P)]
    bins = bins_for(every)
    some = values_P[list(kept)]
    spreads = {"all": spread_over(bins, every), "kept": spread_over(bins, some[~np.isnan(some)])}
    return {which: None if found is None else found.model_dump() for which, found in spreads.items()}


def _ends(table: PairTable, values_P: Floats) -> dict[str, list[dict[str, Any]]]:
    there = np.flatnonzero(~np.isnan(values_P))
    order = there[np.argsort(values_P[there], kind="stable")].tolist()
    return {
        "lowest": [_excerpt(table, number, values_P[number]) for number in order[:_ENDS]],
        "highest": [_excerpt(table, number, values_P[number]) for number in order[::-1][:_ENDS]],
    }


def _excerpt(table: PairTable, number: int, value: float) -> dict[str, Any]:
    [block] = table.pairs([number])
    [columns] = block.table.to_pylist()
    texts = {name: columns[name][-1]["content"][:_LONGEST] for name in ("prompt", "chosen", "rejected")}
    return {"row_id": columns["row_id"], "value": float(value), **texts}
