"""Pairs as token ids: which are trained on, held out, or left out, and why.

Nothing is ever truncated: a pair that is too long, or that its tokens make pointless, is left out whole,
counted under a reason and named.
"""

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pairwright.engines.thoughts import marks_in
from pairwright.errors import UsageError
from pairwright.inputs.pairs import PairRow, read_pairs
from pairwright.models.chat import encode_answer
from pairwright.records import BAD_ROW, prompt_hash
from train.data.repeated import warn_of_repeats
from train.data.spelled import looked_at
from train.data.split import (
    EMPTY,
    TOO_LONG,
    TRAINED_ON,
    Split,
    TokenIds,
    Weights,
    describe_dropped,
    hold_out,
    ids_digest,
    most_tokens,
    require_weight,
    without_prompts_of,
)
from train.data.thoughts import parted, with_thoughts
from train.data.token_weights import TokenWeights

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from train.config import TrainingConfig

IDENTICAL = "identical"
TIED = "tied"


class Pair(NamedTuple):
    """A preference pair as token ids. Both answers end in the token that ends a turn."""

    row_id: str
    prompt_key: str
    """Hash of the prompt's messages."""
    prompt_tokens: TokenIds
    chosen_ids: TokenIds
    rejected_ids: TokenIds
    weight: float = 1.0
    """How much it counts."""
    token_weights: tuple[Weights, Weights] | None = None
    """What each token of chosen and of rejected counts, where that is not the same."""
    label: bool | None = None
    """Of a single answer, which then stands on both sides: whether it is desirable."""

    @property
    def longest(self) -> int:
        """Tokens of the prompt with the longer answer."""
        return len(self.prompt_tokens) + max(len(self.chosen_ids), len(self.rejected_ids))

    @property
    def tokens(self) -> int:
        """Tokens of both sequences, the prompt counted twice."""
        return 2 * len(self.prompt_tokens) + len(self.chosen_ids) + len(self.rejected_ids)

    @property
    def sides(self) -> dict[str, TokenIds]:
        """Both answers by name."""
        return {"chosen": self.chosen_ids, "rejected": self.rejected_ids}

    def digest(self) -> bytes:
        """Return all that training reads of it as bytes."""
        digest = ids_digest(self.row_id, (self.prompt_tokens, self.chosen_ids, self.rejected_ids))
        if self.label is not None:
            digest += b"desirable" if self.label else b"undesirable"
        if self.weight != 1:
            digest += struct.pack("<d", self.weight)
        return digest + b"".join(weights.tobytes() for weights in self.token_weights or ())


def load_pairs(
    config: "TrainingConfig",
    tokenizer: "PreTrainedTokenizerBase",
    token_weights: TokenWeights | None = None,
) -> Split[Pair]:
    """Read, encode and split. Raises `UsageError` when nothing is left to train on."""
    skip = config.skip_bad_rows
    rows = read_pairs(config.sources, config.limit, config.pairs, skip, thoughts=True)
    most = most_tokens(config)
    kept, dropped = encode_pairs(
        with_thoughts(rows, tokenizer, config.reasoning), tokenizer, most, token_weights
    )
    if config.eval_data:
        others = read_pairs(config.eval_data, pairs=config.eval_pairs, skip=skip, thoughts=True)
        others = with_thoughts(others, tokenizer, config.reasoning)
        held_out, dropped_too = encode_pairs(others, tokenizer, most, token_weights)
        training, held_out, seen = kept, *without_prompts_of(kept, held_out)
        for reason, row_ids in (*dropped_too.items(), (TRAINED_ON, seen)):
            dropped[reason] = dropped.get(reason, []) + row_ids
    else:
        training, held_out = hold_out(kept, config.eval_share)
    if not training:
        raise UsageError(
            f"{', '.join(config.data)}: no pair is left to train on ({describe_dropped(dropped)})"
        )
    require_weight(config, training)
    warn_of_repeats(training)
    return Split(training, held_out, {reason: ids for reason, ids in dropped.items() if ids})


def encode_pairs(
    rows: Iterable[PairRow],
    tokenizer: "PreTrainedTokenizerBase",
    max_length: int,
    token_weights: TokenWeights | None = None,
) -> tuple[list[Pair], dict[str, list[str]]]:
    """Return pairs as token ids, and the row ids of those left out by reason.

    `max_length` bounds prompt and answer together, in tokens.
    """
    kept: list[Pair] = []
    dropped: dict[str, list[str]] = {}
    for row in looked_at(rows, tokenizer):
        if row.problem is not None:
            dropped.setdefault(BAD_ROW, []).append(row.problem)
            continue
        pair = encode_pair(row, tokenizer)
        reason = drop_reason(row, pair, max_length)
        if reason:
            dropped.setdefault(reason, []).append(row.row_id)
        else:
            weights = token_weights and token_weights.of(row, pair.chosen_ids, pair.rejected_ids)
            kept.append(pair._replace(token_weights=weights))
    return kept, dropped


def encode_pair(row: PairRow, tokenizer: "PreTrainedTokenizerBase") -> Pair:
    """Return the token ids of one pair; its two sides have the same prompt ids by construction.

    A thought in an answer, apart from it or in its text, is written as the template writes thoughts.
    """
    marks = marks_in(str(tokenizer.chat_template))
    prompt_tokens, chosen_ids = encode_answer(tokenizer, row.prompt, [parted(row.chosen, marks)])
    _, rejected_ids = encode_answer(tokenizer, row.prompt, [parted(row.rejected, marks)])
    prompt, chosen, rejected = (
        np.array(part, dtype=np.int32) for part in (prompt_tokens, chosen_ids, rejected_ids)
    )
    return Pair(row.row_id, prompt_hash(row.prompt), prompt, chosen, rejected, row.weight)


def drop_reason(row: PairRow, pair: Pair, max_length: int) -> str | None:
    """Return the reason for leaving a pair out, or None."""
    answered = all(m.content.strip() or m.tool_calls for m in (row.chosen, row.rejected))
    if not answered or not len(pair.prompt_tokens):
        return EMPTY
    if row.tied:
        return TIED
    if np.array_equal(pair.chosen_ids, pair.rejected_ids):
        return IDENTICAL
    return TOO_LONG if pair.longest > max_length else None
