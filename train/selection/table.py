"""The pairs of a selection with the numbers that rules use.

P  pairs that can be trained on
"""

import math
from collections.abc import Iterator, Sequence
from itertools import tee
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.inputs.beside import stored_prompt
from pairwright.inputs.columns import PAIR, listed
from pairwright.inputs.pairs import PairRow
from pairwright.inputs.source import CHUNK
from pairwright.records import BAD_ROW, Ending, conversation
from pairwright.sift.scored import ScoredRows
from pairwright.sift.spilled import Spilled
from pairwright.sift.whole import Block, WholeRow, WholeRows
from train.data.pairs import IDENTICAL, TIED, Pair, drop_reason, encode_pair
from train.data.split import EMPTY, TOO_LONG
from train.data.thoughts import with_thoughts
from train.selection.config import SelectConfig
from train.selection.measures import Floats, ModelMeasures, dcrm, implicit_margin, token_distance
from train.selection.rules import columns_wanted

COUNTED = ("tokens_prompt", "tokens_chosen", "tokens_rejected", "length_difference")
"""Numbers that need a tokenizer: tokens, and how many more of them chosen has."""
_REASONS = {
    EMPTY: "an answer is empty, or the prompt is",
    TIED: "both answers have the same score, or there is one alone",
    IDENTICAL: "both answers are the same",
    TOO_LONG: "prompt and answer have more than {} tokens (--max_length)",
}
_MODEL_MEASURES = frozenset({"ches", "ches_normalized"})


class PairTable(NamedTuple):
    """All rows, and the numbers of those that can be trained on."""

    rows: Spilled
    unfit: dict[int, Ending]
    """By its place among the rows: why a row is no pair to train on."""
    places: list[int]
    """The places of the other rows, (P,)."""
    numbers: dict[str, Floats]
    """By name, each (P,); NaN where a pair has none."""
    measured: tuple[str, ...]
    """Names of the numbers that were found here, in the order in which they are written."""

    def values(self, column: str) -> list[Any]:
        """Return the values of a column, (P,); None where it is not there."""
        if column not in self.rows.schema.names:
            return [None] * len(self.places)
        every = self.rows.column(column)
        return [every[place] for place in self.places]

    def labels(self, column: str, setting: str) -> list[str]:
        """Return the values of a column as text, (P,). Raises `UsageError` where it is not there."""
        if column not in self.rows.schema.names:
            raise UsageError(_missing(self.rows.schema, column, setting))
        return list(map(str, self.values(column)))

    def pairs(self, numbers: Sequence[int]) -> Iterator[Block]:
        """Yield pairs in the order of their numbers, which are places in (P,)."""
        for start in range(0, len(numbers), CHUNK):
            yield self.rows.take([self.places[number] for number in numbers[start : start + CHUNK]])


def read_table(config: SelectConfig, rows: WholeRows | ScoredRows) -> PairTable:
    """Read the pairs, measure them, and find every number that the settings go by.

    Raises `UsageError` for rows that are no pairs, and for numbers that are neither in the input nor to
    be had without a model.
    """
    held = Spilled(rows.blocks(), rows.schema)
    tokenizer, longest = None, config.max_length
    if (name := config.model or config.tokenizer) is not None:
        from pairwright.models.loading import load_tokenizer

        tokenizer = load_tokenizer(name)
    if config.model is not None:
        from train.selection.measuring import most_tokens_of

        longest = most_tokens_of(config, config.model)
    unfit: dict[int, Ending] = {}
    places, pairs = [], []
    every, again = tee(row for block in held.blocks() for row in block.rows())
    told = (_pair_row(row) for row in again if row.problem is None)
    pair_rows = told if tokenizer is None else with_thoughts(told, tokenizer, config.reasoning)
    for place, row in enumerate(every):
        if row.problem is not None:
            unfit[place] = Ending(BAD_ROW, row.problem)
            continue
        pair_row = next(pair_rows)
        pair = None if tokenizer is None else encode_pair(pair_row, tokenizer)
        reason = _unfit(pair_row) if pair is None else drop_reason(pair_row, pair, longest)
        if reason:
            unfit[place] = Ending(reason, _REASONS[reason].format(longest))
        else:
            places.append(place)
            pairs.append(pair)
    if not places:
        raise UsageError(f"{', '.join(config.inputs)}: no pair in it that could be trained on")
    table = PairTable(held, unfit, places, {}, ())
    wanted = columns_wanted(config)
    margin = None
    if "margin" in rows.schema.names:
        values = [value for place, value in enumerate(held.column("margin")) if place not in held.problems]
        ours = "dcrm" in wanted or all(value is None or _is_number(value) for value in values)
        there = any(value is not None for value in table.values("margin"))
        margin = _column(table, "margin", "the measure DCRM") if ours and there else None
    found = _found(config, [pair for pair in pairs if pair is not None], margin)
    given = {name: _column(table, name, setting) for name, setting in wanted.items() if name not in found}
    measured = tuple(name for name in measured_columns(config, margin is not None) if name in found)
    return table._replace(numbers=found | given, measured=measured)


def measured_columns(config: SelectConfig, has_margin: bool) -> tuple[str, ...]:
    """Return the names of the measures under these settings."""
    counted = COUNTED if config.model or config.tokenizer else ()
    asked = ModelMeasures._fields if config.model else ()
    beside = ("ref_logp_chosen", "ref_logp_rejected", "implicit_margin") if config.ref_model else ()
    return (*counted, *asked, *beside, *(("dcrm",) if config.model and has_margin else ()))


def _found(config: SelectConfig, pairs: list[Pair], margin: Floats | None) -> dict[str, Floats]:
    """All that is found of pairs here, by name, and their margin, where they have one."""
    found = {} if margin is None else {"margin": margin}
    if not pairs:  # nobody's tokens are counted
        return found
    counts = np.array(
        [[len(p.prompt_tokens), len(p.chosen_ids), len(p.rejected_ids)] for p in pairs], float
    )
    prompt, chosen, rejected = counts.T
    found |= dict(zip(COUNTED, (prompt, chosen, rejected, chosen - rejected), strict=True))
    found["tokens"] = prompt + chosen + rejected
    if config.model is not None:
        from train.selection.measuring import model_measures

        found |= model_measures(config, pairs)
    if config.ref_model is not None:
        from train.selection.measuring import reference_logps

        found |= reference_logps(config, pairs)
        chosen, rejected = (found[f"logp_{side}"] - found[f"ref_logp_{side}"] for side in PAIR)
        found["implicit_margin"] = implicit_margin(chosen, rejected, config.beta)
    if config.model is not None and margin is not None:
        whose = "logp" if config.ref_model is None else "ref_logp"
        distance = np.array([token_distance(p.chosen_ids, p.rejected_ids) for p in pairs], float)
        found["dcrm"] = dcrm(margin, distance, *(found[f"{whose}_{side}"] for side in PAIR))
    return found


def _pair_row(row: WholeRow) -> PairRow:
    """The pair of a row. Raises `UsageError`, naming the row, for one that is not a pair."""
    said = {}
    for side in PAIR:
        messages = row.columns.get(side)
        if not messages:
            raise UsageError(
                f"{row.where}: no `{side}`, so it is no pair; make pairs first (pairwright judge, revise)"
            )
        thought = row.columns.get(f"{side}_reasoning")
        said[side] = conversation(messages)[-1].model_copy(
            update={"reasoning": thought if isinstance(thought, str) and thought else None}
        )
    prompt = stored_prompt(row.columns, row.where)
    scores = [row.columns.get(f"{side}_score") for side in PAIR]
    tied = all(map(_is_number, scores)) and scores[0] == scores[1]
    return PairRow(row.columns["row_id"], prompt, said["chosen"], said["rejected"], tied=tied)


def _unfit(row: PairRow) -> str | None:
    """Why a pair cannot be trained on, as far as text says so."""
    if not all(m.content.strip() or m.tool_calls for m in (row.chosen, row.rejected)):
        return EMPTY
    if row.tied:
        return TIED
    return IDENTICAL if row.chosen == row.rejected else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _column(table: PairTable, column: str, setting: str) -> Floats:
    """A column of numbers of the input. Raises `UsageError` where it is missing or holds something else."""
    given = table.values(column)
    if all(value is None for value in given):
        raise UsageError(_missing(table.rows.schema, column, setting))
    for place, value in zip(table.places, given, strict=True):
        number = _is_number(value)
        if value is not None and (not number or math.isinf(value)):
            [where], kind = table.rows.take([place]).wheres, "a finite number" if number else "a number"
            raise UsageError(f"{where}: `{column}` is {value!r}; {setting} needs {kind}")
    return np.array([math.nan if value is None else float(value) for value in given])


def _missing(schema: pa.Schema, column: str, setting: str) -> str:
    """What is said where a rule goes by a number that is not there."""
    there = listed(schema.names)
    how = ""
    if column == "implicit_margin":
        how = "; give --model, and --ref_model, which it was trained from"
    elif column == "dcrm":
        how = "; give --model, and pairs with a `margin` (of pairwright judge, or your own)"
    elif column in _MODEL_MEASURES or column.startswith(("logp", "surprise")):
        how = "; give --model, under which it is measured"
    elif column == "margin_sd":
        how = "; give answers that pairwright score scored with several reward models (DIR+DIR)"
    elif column in COUNTED or column == "tokens":
        how = "; give --tokenizer or --model, whose tokens are counted"
    return f"{setting} goes by `{column}`, which no row has{how} (columns: {there})"
