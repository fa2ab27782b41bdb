"""Scored answers as token ids: one item is a prompt with all the answers that its loss needs."""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pairwright.errors import UsageError
from pairwright.inputs.scored import RankedRow, read_ranked
from pairwright.models.chat import encode_answer
from pairwright.records import BAD_ROW, Message, prompt_hash
from train.data.spelled import Spelled
from train.data.split import (
    EMPTY,
    TOO_LONG,
    Split,
    TokenIds,
    ids_digest,
    most_tokens,
    split_of,
)
from train.data.thoughts import Thinking

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from train.config import TrainingConfig

SINGLE = "single"


class Ranked(NamedTuple):
    """A prompt and answers to it, best first. Each answer ends in the token that ends a turn."""

    row_id: str
    prompt_key: str
    prompt_tokens: TokenIds
    answers: tuple[TokenIds, ...]
    scores: tuple[float, ...]
    weight: float = 1.0
    """How much it counts."""

    @property
    def sides(self) -> dict[str, TokenIds]:
        """The answers by rank."""
        return {f"rank {rank}": ids for rank, ids in enumerate(self.answers, start=1)}

    @property
    def longest(self) -> int:
        """Tokens of the prompt with the longest answer."""
        return len(self.prompt_tokens) + max(map(len, self.answers))

    @property
    def tokens(self) -> int:
        """Tokens of all sequences, the prompt counted with each."""
        return len(self.prompt_tokens) * len(self.answers) + sum(map(len, self.answers))

    def digest(self) -> bytes:
        """Return all that training reads of it as bytes."""
        scores = struct.pack(f"<{len(self.scores)}d", *self.scores)
        weight = struct.pack("<d", self.weight) if self.weight != 1 else b""
        return ids_digest(self.row_id, (self.prompt_tokens, *self.answers)) + scores + weight


def load_ranked(
    config: "TrainingConfig", tokenizer: "PreTrainedTokenizerBase", *, best_only: bool
) -> Split[Ranked]:
    """Read, encode and split. Raises `UsageError` when nothing is left to train on."""
    dropped: dict[str, list[str]] = {}
    most = most_tokens(config)

    def encoded(sources: Sequence[str], limit: int | None) -> list[Ranked]:
        kept, spelled = [], Spelled(tokenizer)
        thinking = Thinking(tokenizer, config.reasoning, "prompt")
        for row in read_ranked(sources, limit, config.skip_bad_rows):
            if isinstance(row, UsageError):
                dropped.setdefault(BAD_ROW, []).append(str(row))
                continue
            _, told = thinking.told((), [Message(role="assistant", content=a) for a in row.answers])
            # What was a thought and no answer is left out, as blank answers are.
            scored = [(a, s) for a, s in zip(told, row.scores, strict=True) if a.content.strip()]
            scored = scored[:1] if best_only else scored
            spelled.look(row.row_id, (answer.content for answer, _ in scored))
            item = encode_ranked(row, scored, tokenizer) if scored else None
            if item is None:
                dropped.setdefault(EMPTY, []).append(row.row_id)
            elif reason := _why_not(item, most, best_only=best_only):
                dropped.setdefault(reason, []).append(row.row_id)
            else:
                kept.append(item)
        thinking.say()
        spelled.warn()
        return kept

    return split_of(encoded, config, dropped, "prompt")


def encode_ranked(
    row: RankedRow, scored: Sequence[tuple[Message, float]], tokenizer: "PreTrainedTokenizerBase"
) -> Ranked:
    """Return the token ids of a prompt and of answers to it, best first."""
    pairs = [encode_answer(tokenizer, row.prompt, [answer]) for answer, _ in scored]
    return Ranked(
        row.row_id,
        prompt_hash(row.prompt),
        np.array(pairs[0].prompt_ids, dtype=np.int32),
        tuple(np.array(pair.answer_ids, dtype=np.int32) for pair in pairs),
        tuple(score for _, score in scored),
        row.weight,
    )


def _why_not(item: Ranked, max_length: int, *, best_only: bool) -> str | None:
    """The reason to leave a prompt out, or None."""
    if not len(item.prompt_tokens):
        return EMPTY
    if not best_only and len(set(item.scores)) == 1:
        return SINGLE
    return TOO_LONG if item.longest > max_length else None
