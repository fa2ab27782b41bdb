"""The columns of a run folder by owner: a stage's own, and the user's, carried along under any name."""

from functools import cache

import pyarrow as pa

from pairwright.schema import (
    ANSWER,
    CALIBRATED,
    COMPARED,
    EDITED_PAIR,
    EVALUATED,
    GATED,
    JUDGED_PAIR,
    LATER,
    PAIR,
    SCORED,
    STATUS,
    VERIFIED,
    plain_type,
)

_STAGES = {
    "sample": (ANSWER,),
    "score": (SCORED,),
    "revise": (PAIR, EDITED_PAIR, pa.schema(VERIFIED)),
    "gate": (PAIR, EDITED_PAIR, pa.schema(VERIFIED), JUDGED_PAIR, pa.schema(GATED)),
    "judge": (PAIR, JUDGED_PAIR, pa.schema(GATED)),
    "calibrate": (CALIBRATED,),
    "winrate": (COMPARED,),
    "eval": (EVALUATED,),
}
_ALL = (
    *(ANSWER, SCORED, PAIR, EDITED_PAIR, pa.schema(VERIFIED), JUDGED_PAIR, pa.schema(GATED)),
    *(CALIBRATED, COMPARED, EVALUATED),
)
_IDENTITY = ("row_id", "prompt_id", "prompt")
ANSWERS = ("chosen", "rejected", "completion")
_BESIDE_EACH_OTHER = ("completions", "scores", "ranks", "response_a", "response_b", "preference")
"""Several answers in a row, and what is said of them."""
_NUMBERS = ("margin", "score", "rank", "weight")
_LINEAGE = pa.schema([("completion_model", pa.string())])
"""What a row may carry along and have read by everybody: whose answer it was made from."""
_CARRIED_AS_THEY_ARE = frozenset(
    {"completion_model", "sample_index", "finish_reason", "model_a", "model_b"}
)
"""Where an answer comes from: stages read it of the rows that they are given."""
RESERVED = (
    frozenset(field.name for schema in (*_ALL, STATUS) for field in schema)
    | {"completions", "scores", "ranks", "label", "reasoning"}
) - _CARRIED_AS_THEY_ARE
"""Names under which no column of the user's is carried: readers of rows, ours and those of trainers, go by
them."""


@cache
def _columns_of_all() -> dict[pa.Schema, set[tuple[str, pa.DataType]]]:
    return {kind: {(f.name, plain_type(f.type)) for f in kind} for kind in _ALL}


def own_columns(stage: str, schema: pa.Schema) -> frozenset[str]:
    """Return the columns of a run's rows that are the run's own, and not carried along from its input.

    They have names of the stage's schema; those that only some of its runs have, such as `margin`, have
    its types too. Stages that make no rows of their own (`merge` …) keep those of the stages whose
    columns are all there, and the numbers that trainers read of anybody's rows.
    """
    there = {(f.name, plain_type(f.type)) for f in schema}
    kinds = _columns_of_all()
    if stage in _STAGES:
        first, *others = _STAGES[stage]
        always = {*first.names, *(field.name for field in STATUS)}
        sometimes = set().union(*(kinds[other] for other in others))
    else:
        always = {*_IDENTITY, *ANSWERS, *_BESIDE_EACH_OTHER, *(field.name for field in STATUS)}
        needed = {kind: {c for c in some if c[0] not in LATER} for kind, some in kinds.items()}
        sometimes = set().union(*(kinds[kind] for kind, some in needed.items() if some <= there))
        sometimes |= {(name, kind) for name, kind in there if name in _NUMBERS and holds_numbers(kind)}
    own = sometimes | {(f.name, f.type) for f in _LINEAGE}
    return frozenset(name for name, kind in there if name in always or (name, kind) in own)


def holds_numbers(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
