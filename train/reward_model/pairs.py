"""Pairs that a reward model learns from: human ones and golden ones, with their weights and margins."""

import math
import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.columns import listed
from pairwright.inputs.pairs import PairRow, read_pairs
from pairwright.records import BAD_ROW
from train.data.pairs import Pair, drop_reason, encode_pair
from train.data.repeated import warn_of_repeats
from train.data.spelled import looked_at
from train.data.split import (
    TRAINED_ON,
    Split,
    TokenIds,
    describe_dropped,
    hold_out,
    most_tokens,
    without_prompts_of,
)
from train.data.thoughts import with_thoughts
from train.reward_model.config import RewardConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class RewardPair(NamedTuple):
    """A pair, and what it is to the reward model."""

    pair: Pair
    golden: bool
    """Whether chosen is a golden answer and rejected one that a model sampled."""
    weight: float
    margin: float = 0.0
    """By how much the chosen answer's reward should be ahead before the pair counts as even."""
    subset: str = ""
    """Value of the column by which accuracy is told apart."""

    @property
    def row_id(self) -> str:
        """Of the row it came from."""
        return self.pair.row_id

    @property
    def prompt_key(self) -> str:
        """Hash of the prompt's messages."""
        return self.pair.prompt_key

    @property
    def prompt_tokens(self) -> TokenIds:
        """The prompt as token ids."""
        return self.pair.prompt_tokens

    @property
    def sides(self) -> dict[str, TokenIds]:
        """Both answers by name."""
        return self.pair.sides

    @property
    def longest(self) -> int:
        """Tokens of the prompt with the longer answer."""
        return self.pair.longest

    @property
    def tokens(self) -> int:
        """Tokens of both sequences."""
        return self.pair.tokens

    def digest(self) -> bytes:
        """Return all that training reads of it as bytes."""
        return self.pair.digest() + struct.pack("<?dd", self.golden, self.weight, self.margin)


def load_reward_pairs(config: RewardConfig, tokenizer: "PreTrainedTokenizerBase") -> Split[RewardPair]:
    """Read, encode and split. Pairs that weigh nothing are only held out, never trained on.

    No prompt is both trained on and held out, whichever of the two kinds its pairs are of. Raises
    `UsageError` when nothing is left to train on.
    """
    limit = config.limit
    config = config.model_copy(update={"max_length": most_tokens(config)})
    whole = config.model_copy(update={"pairs": config.eval_pairs})
    human = encode_reward_pairs(config.sources, config, tokenizer, golden=False, limit=limit)
    golden = encode_reward_pairs(config.golden_data, whole, tokenizer, golden=True, limit=limit)
    dropped = _joined(human.dropped, golden.dropped)
    everything = [*human.kept, *golden.kept]
    if config.eval_data:
        others = encode_reward_pairs(config.eval_data, whole, tokenizer, golden=False)
        held_out, seen = without_prompts_of(everything, others.kept)
        training = everything
        dropped = _joined(dropped, others.dropped, {TRAINED_ON: seen})
    else:
        # By kind, so that the human pairs held out are the same whatever golden pairs there are.
        parts = (hold_out(part.kept, config.eval_share)[1] for part in (human, golden))
        prompts = {pair.prompt_key for part in parts for pair in part}
        training = [pair for pair in everything if pair.prompt_key not in prompts]
        held_out = [pair for pair in everything if pair.prompt_key in prompts]
    training = [pair for pair in training if pair.weight]
    if not training:
        names = ", ".join((*config.data, *config.golden_data))
        raise UsageError(f"{names}: no pair is left to train on ({describe_dropped(dropped)})")
    warn_of_repeats(training)
    return Split(training, held_out, dropped)


class Encoded(NamedTuple):
    """Pairs as token ids, and the row ids of those left out by reason."""

    kept: list[RewardPair]
    dropped: dict[str, list[str]]


def encode_reward_pairs(
    sources: Iterable[str],
    config: RewardConfig,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    golden: bool,
    limit: int | None = None,
) -> Encoded:
    """Return the pairs of some sources, human or golden, at most `limit`.

    Raises `UsageError` for a margin that is not finite.
    """
    weight = config.apo_coeff / config.apo_samples if golden else config.rm_kl
    found = Encoded([], {})
    skip = config.skip_bad_rows
    rows = read_pairs(sources, limit, config.pairs, skip, margins=True, thoughts=True)
    for row in looked_at(with_thoughts(rows, tokenizer, config.reasoning), tokenizer):
        if row.problem is not None:
            found.dropped.setdefault(BAD_ROW, []).append(row.problem)
            continue
        pair = encode_pair(row, tokenizer)
        if reason := drop_reason(row, pair, config.max_length):
            found.dropped.setdefault(reason, []).append(row.row_id)
            continue
        margin = 0.0 if row.margin is None or golden else row.margin
        if not math.isfinite(margin):
            raise UsageError(f"row {row.row_id}: `margin` is {margin}; it must be a finite number")
        subset = _subset(row, config.by) if config.by and not golden else ""
        found.kept.append(RewardPair(pair, golden, weight * row.weight, margin, subset))
    return found


def _subset(row: PairRow, column: str) -> str:
    """What a row holds in the column of subsets; what is null counts as `none`."""
    if column not in row.columns:
        raise UsageError(
            f"{row.where or row.row_id}: no column `{column}`, which --by names; the columns are "
            f"{listed(list(row.columns))}"
        )
    value = row.columns[column]
    return "none" if value is None else str(value)


def _joined(*parts: dict[str, list[str]]) -> dict[str, list[str]]:
    reasons = dict.fromkeys(reason for part in parts for reason in part)
    joined = {reason: [i for part in parts for i in part.get(reason, [])] for reason in reasons}
    return {reason: ids for reason, ids in joined.items() if ids}


def pairs_of(items: Sequence[RewardPair]) -> list[Pair]:
    """Return the pairs alone."""
    return [item.pair for item in items]
