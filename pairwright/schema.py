"""The columns of run folders, as explicit Arrow types.

No column is ever typed `null` and no list is ever `large_list`, whatever the rows of a shard hold:
`datasets`, TRL and polars read every shard with the same types.
"""

from collections.abc import Iterable

import pyarrow as pa

CONVERSATION = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

_CALL = pa.struct([("name", pa.string()), ("arguments", pa.string())])
CALLING = pa.list_(
    pa.struct(
        [
            ("role", pa.string()),
            ("content", pa.string()),
            (
                "tool_calls",
                pa.list_(pa.struct([("id", pa.string()), ("type", pa.string()), ("function", _CALL)])),
            ),
            ("tool_call_id", pa.string()),
            ("name", pa.string()),
        ]
    )
)
"""A conversation in which tools may be called; `arguments` are JSON text."""

THOUGHTS = [("reasoning", pa.string()), ("reasoning_tokens", pa.int32())]
"""What the model thought that the run asked (policy, reviser or judges), and how many of the completion's
tokens that took; null where it did not, or where nobody says."""

_SIDES = [("chosen_reasoning", pa.string()), ("rejected_reasoning", pa.string())]
"""What was thought before each answer when it was given; a revision has the thought of its answer."""

_ROW = [
    ("row_id", pa.string()),
    ("prompt_id", pa.string()),
    ("prompt", CONVERSATION),
]

ANSWER = pa.schema(
    [
        *_ROW,
        ("completion", CONVERSATION),
        ("source", pa.string()),
        ("completion_model", pa.string()),
        ("sample_index", pa.int32()),
        ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        *THOUGHTS,
    ]
)
"""A sampled answer: TRL's prompt-completion form, and where it came from."""

SCORED = pa.schema(
    [
        *_ROW,
        ("completion", CONVERSATION),
        ("completion_model", pa.string()),
        ("score", pa.float64()),
        ("rank", pa.int32()),
        ("scored", pa.int32()),
        ("too_long", pa.int32()),
        ("reasoning", pa.string()),
    ]
)
"""An answer with its reward, and its rank among the `scored` answers to its prompt (1 is the best);
`too_long` is how many more there were that could not be scored."""

ENSEMBLE = [("score_sd", pa.float64()), ("member_scores", pa.list_(pa.float64()))]
"""Of an answer that several reward models scored: what each says, and the standard deviation of that."""

MEASURES = [
    ("token_levenshtein", pa.int32()),
    ("char_levenshtein", pa.int32()),
    ("edit_distance", pa.float64()),
    ("jaccard", pa.float64()),
    ("kept_share", pa.float64()),
    ("common_prefix", pa.int32()),
    ("length_ratio", pa.float64()),
    (
        "changed_spans",
        pa.list_(
            pa.struct(
                [
                    ("rejected_start", pa.int32()),
                    ("rejected_end", pa.int32()),
                    ("chosen_start", pa.int32()),
                    ("chosen_end", pa.int32()),
                ]
            )
        ),
    ),
]
"""How far apart two answers are; `pairwright.pairs.minimality` says what each column means."""

VERDICT = pa.struct(
    [
        ("preference", pa.float64()),
        ("consistent", pa.bool_()),
        (
            "votes",
            pa.list_(
                pa.struct(
                    [
                        ("judge", pa.string()),
                        ("chosen_first", pa.bool_()),
                        ("label", pa.string()),
                        ("probability", pa.float64()),
                        ("outside_mass", pa.float64()),
                        ("aspect", pa.string()),
                        ("chosen_score", pa.float64()),
                        ("rejected_score", pa.float64()),
                        ("reply", pa.string()),
                    ]
                )
            ),
        ),
    ]
)
"""What judges said of a pair: the probability that chosen is better, and every vote behind it.

A vote without `probability` could not be parsed. Votes by comparison have an order (`chosen_first`),
votes by score have an `aspect` and the two scores; `reply` is what the judge wrote.
"""

PAIR = pa.schema(
    [
        *_ROW,
        ("chosen", CONVERSATION),
        ("rejected", CONVERSATION),
        ("source", pa.string()),
        ("chosen_model", pa.string()),
        ("rejected_model", pa.string()),
        ("chosen_template", pa.string()),
        ("rejected_template", pa.string()),
        ("rationale", pa.string()),
        *MEASURES,
        ("attempts", pa.int32()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        *_SIDES,
        *THOUGHTS,
    ]
)
"""A preference pair: TRL's explicit-prompt conversational form, its lineage and its measures."""

VERIFIED = [
    ("answer_score", pa.float64()),
    ("revision_score", pa.float64()),
    ("feedback", pa.string()),
]
"""What verifiers said of a pair's two answers, and in words of the one that was made last. Runs without
verifiers have no such columns."""

GATED = [("chosen_score", pa.float64()), ("rejected_score", pa.float64())]
"""What verifiers said of the two answers of a judged or given pair, in runs with verifiers."""

EDIT = pa.struct(
    [("find", pa.string()), ("replace", pa.string()), ("reason", pa.string()), ("match", pa.string())]
)
"""An edit that was made: the answer's own text that it took out, what it put there, why, and how the
place was found (`exact`, `normalised`, `fuzzy` or `sentence`)."""

EDITED_PAIR = pa.schema([*PAIR, ("edits", pa.list_(EDIT))])
"""A pair whose revision came of edits, in the order in which they stand in the answer."""

CHAIN = [("step", pa.int32()), ("steps", pa.int32())]
"""Of a pair that one edit makes of a list: which, from 1, and of how many."""

REVERSAL = ("reversal", pa.string())
"""`kept` where a pair under a reversed prompt came of the same row, or why none did; null on that pair."""

CROSSED = ("rejected_prompt", CONVERSATION)
"""Of a crossed pair, the prompt that its rejected answer was revised for; null on mirrors."""

JUDGED_PAIR = pa.schema([*PAIR, ("verdict", VERDICT), ("margin", pa.float64())])
"""A pair that judges compared. Others have no `margin` column at all: TRL's reward trainer reads it
wherever it stands, and fails on a null."""

CALIBRATED = pa.schema(
    [
        *_ROW,
        ("chosen", CONVERSATION),
        ("rejected", CONVERSATION),
        ("chosen_model", pa.string()),
        ("rejected_model", pa.string()),
        ("verdict", VERDICT),
        ("margin", pa.float64()),
        ("decision", pa.string()),
        (
            "attacks",
            pa.list_(
                pa.struct(
                    [
                        ("name", pa.string()),
                        ("preference", pa.float64()),
                        ("fooled", pa.int32()),
                        ("verdicts", pa.int32()),
                    ]
                )
            ),
        ),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        *_SIDES,
        *THOUGHTS,
    ]
)
"""A labelled pair and what a judge says of it: chosen is what people prefer, `decision` how the pair
would have ended, and `attacks` the verdicts when the rejected answer carries words to the judge."""

EVALUATED = pa.schema(
    [
        *_ROW,
        ("completion", CONVERSATION),
        ("completion_model", pa.string()),
        ("sample_index", pa.int32()),
        ("score", pa.float64()),
        ("passed", pa.bool_()),
        ("feedback", pa.string()),
        ("finish_reason", pa.string()),
        ("answer_tokens", pa.int32()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        *THOUGHTS,
    ]
)
"""An answer under evaluation and what verifiers say of it; `completion_tokens` are all that were
generated for the row, judges' too, `answer_tokens` those of the answer."""

COMPARED = pa.schema(
    [
        *_ROW,
        ("answer_a", CONVERSATION),
        ("answer_b", CONVERSATION),
        ("model_a", pa.string()),
        ("model_b", pa.string()),
        ("points", pa.float64()),
        ("decision", pa.string()),
        ("length_difference", pa.int32()),
        ("verdict", VERDICT),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("reasoning_a", pa.string()),
        ("reasoning_b", pa.string()),
        *THOUGHTS,
    ]
)
"""Two models' answers to a prompt: `points` of a (1, 1/2 or 0), how the judges decided, characters of
a less those of b, and the verdict, in which chosen stands for a."""

MET = pa.schema([*COMPARED, ("side_a", pa.string()), ("side_b", pa.string())])
"""The same of two among several models, with what each was called by the user."""

LATER = frozenset(
    [*(name for name, _ in (*THOUGHTS, *_SIDES)), "reasoning_a", "reasoning_b"],
)
"""Columns that runs of earlier versions do not have; a run that began without them goes on without them."""

STATUS = [pa.field("status", pa.string()), pa.field("reason", pa.string())]


def calling(schema: pa.Schema) -> pa.Schema:
    """Return a schema whose columns of messages have room for calls of tools."""
    return pa.schema([f.with_type(CALLING) if f.type == CONVERSATION else f for f in schema])


def with_carried(schema: pa.Schema, carried: Iterable[pa.Field]) -> pa.Schema:
    """Return a stage's schema followed by the input columns that it carries through unchanged."""
    return pa.schema([*schema, *carried])


def dropped(schema: pa.Schema) -> pa.Schema:
    """Return the schema of dropped rows: the same columns, with `status` and `reason`."""
    return pa.schema([*STATUS, *schema])


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the same type without what readers disagree about: `null`, `large_*`, views, maps …"""
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_list_view(kind):
        return pa.list_(plain_type(kind.value_type))
    if pa.types.is_map(kind):
        return pa.list_(
            pa.struct([("key", plain_type(kind.key_type)), ("value", plain_type(kind.item_type))])
        )
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, plain_type(f.type)) for f in kind])
    if pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
        return pa.decimal128(kind.precision, kind.scale)
    return kind
