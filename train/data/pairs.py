"""Pairs as token ids: what is trained on, what is held out, and what is left out and why.

Nothing is ever cut: a pair that is too long, or that its tokens make pointless, is left out whole,
counted under a reason and named.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pairwright.errors import UsageError
from pairwright.inputs.pairs import PairRow, read_pairs
from pairwright.models.chat import encode_answer
from pairwright.records import content_hash

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from train.config import TrainingConfig

TokenIds = npt.NDArray[np.int32]

EMPTY = "empty"
IDENTICAL = "identical"
TIED = "tied"
TOO_LONG = "too_long"
TRAINED_ON = "prompt_in_training"


class Pair(NamedTuple):
    """A preference pair as token ids. Both answers end in the token that ends a turn."""

    row_id: str
    prompt_id: str
    """Hash of the prompt's messages."""
    prompt_ids: TokenIds
    chosen_ids: TokenIds
    rejected_ids: TokenIds

    @property
    def longest(self) -> int:
        """Tokens of the prompt with the longer answer."""
        return len(self.prompt_ids) + max(len(self.chosen_ids), len(self.rejected_ids))

    @property
    def tokens(self) -> int:
        """Tokens of both sequences, the prompt counted twice."""
        return 2 * len(self.prompt_ids) + len(self.chosen_ids) + len(self.rejected_ids)

    @property
    def sides(self) -> dict[str, TokenIds]:
        """Both answers by name."""
        return {"chosen": self.chosen_ids, "rejected": self.rejected_ids}

    def digest(self) -> bytes:
        """All that training sees of it."""
        return ids_digest(self.row_id, (self.prompt_ids, self.chosen_ids, self.rejected_ids))


class Item(Protocol):
    """What any kind of training is done on: a prompt and answers to it."""

    @property
    def row_id(self) -> str: ...
    @property
    def prompt_id(self) -> str: ...
    @property
    def prompt_ids(self) -> TokenIds: ...
    @property
    def sides(self) -> dict[str, TokenIds]: ...
    @property
    def longest(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    def digest(self) -> bytes: ...


T = TypeVar("T", bound=Item)


class Pairs(NamedTuple, Generic[T]):
    """All that a run reads."""

    training: list[T]
    held_out: list[T]
    dropped: Mapping[str, list[str]]
    """Row ids by the reason why they are in neither part."""


def load_pairs(config: "TrainingConfig", tokenizer: "PreTrainedTokenizerBase") -> Pairs[Pair]:
    """Read, encode and split. Raises `UsageError` when nothing is left to train on."""
    rows = read_pairs(config.data, config.limit, config.pairs)
    kept, dropped = encode_pairs(rows, tokenizer, config.max_length)
    if config.eval_data:
        others = read_pairs(config.eval_data, pairs=config.pairs)
        held_out, dropped_too = encode_pairs(others, tokenizer, config.max_length)
        training, held_out, seen = kept, *without_prompts_of(kept, held_out)
        for reason, row_ids in (*dropped_too.items(), (TRAINED_ON, seen)):
            dropped[reason] = dropped.get(reason, []) + row_ids
    else:
        training, held_out = hold_out(kept, config.eval_share)
    if not training:
        raise UsageError(
            f"{', '.join(config.data)}: no pair is left to train on ({describe_dropped(dropped)})"
        )
    return Pairs(training, held_out, {reason: ids for reason, ids in dropped.items() if ids})


def encode_pairs(
    rows: Iterable[PairRow], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> tuple[list[Pair], dict[str, list[str]]]:
    """Pairs as token ids, and the row ids of those left out by reason.

    `max_length` bounds prompt and answer together, in tokens.
    """
    kept: list[Pair] = []
    dropped: dict[str, list[str]] = {}
    for row in rows:
        pair = encode_pair(row, tokenizer)
        reason = why_not(row, pair, max_length)
        if reason:
            dropped.setdefault(reason, []).append(row.row_id)
        else:
            kept.append(pair)
    return kept, dropped


def encode_pair(row: PairRow, tokenizer: "PreTrainedTokenizerBase") -> Pair:
    """Token ids of one pair; its two sides have the same prompt ids by construction."""
    prompt_ids, chosen_ids = encode_answer(tokenizer, row.prompt, [row.chosen])
    _, rejected_ids = encode_answer(tokenizer, row.prompt, [row.rejected])
    ids = (np.array(part, dtype=np.int32) for part in (prompt_ids, chosen_ids, rejected_ids))
    return Pair(row.row_id, content_hash([m.model_dump() for m in row.prompt]), *ids)


def why_not(row: PairRow, pair: Pair, max_length: int) -> str | None:
    """The reason to leave a pair out, or None."""
    answered = row.chosen.content.strip() and row.rejected.content.strip()
    if not answered or not len(pair.prompt_ids):
        return EMPTY
    if row.tied:
        return TIED
    if np.array_equal(pair.chosen_ids, pair.rejected_ids):
        return IDENTICAL
    return TOO_LONG if pair.longest > max_length else None


def hold_out(pairs: Sequence[T], share: float) -> tuple[list[T], list[T]]:
    """Training and held-out pairs, no prompt in both, both in their given order.

    The prompts of smallest hash are held out, so the choice depends on no seed and no order; at
    least one is when `share` is above 0 and another is left to train on.
    """
    prompts = sorted({pair.prompt_id for pair in pairs})
    count = min(max(1, round(share * len(prompts))), len(prompts) - 1) if share and prompts else 0
    chosen = set(prompts[:count])
    return (
        [pair for pair in pairs if pair.prompt_id not in chosen],
        [pair for pair in pairs if pair.prompt_id in chosen],
    )


def without_prompts_of(training: Sequence[Item], others: Sequence[T]) -> tuple[list[T], list[str]]:
    """Those of `others` whose prompt is not trained on, and the row ids of the rest."""
    prompts = {pair.prompt_id for pair in training}
    return (
        [pair for pair in others if pair.prompt_id not in prompts],
        [pair.row_id for pair in others if pair.prompt_id in prompts],
    )


def describe_dropped(dropped: Mapping[str, Sequence[str]]) -> str:
    """One line for people: how many for which reason, with the first row ids."""
    parts = (
        f"{len(ids)} {reason}: {', '.join(ids[:3])}{' …' if len(ids) > 3 else ''}"
        for reason, ids in dropped.items()
        if ids
    )
    return "; ".join(parts) or "none left out"


def pairs_hash(pairs: Iterable[Item]) -> str:
    """Hash of what training sees of pairs, in order: 32 hex digits."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(pair.digest())
    return digest.hexdigest()[:32]


def ids_digest(row_id: str, parts: Iterable[TokenIds]) -> bytes:
    """A row's name and token ids as bytes that no other row has."""
    ids = b"".join(len(part).to_bytes(4, "little") + part.astype("<i4").tobytes() for part in parts)
    return f"{row_id}\0".encode("utf-8", "surrogatepass") + ids
