"""Labelled answers as token ids: each is a pair with itself, of which one side counts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pairwright.errors import UsageError
from pairwright.inputs.labelled import read_labelled
from pairwright.models.chat import encode_answer
from pairwright.records import BAD_ROW, prompt_hash
from train.data.pairs import Pair
from train.data.spelled import Spelled
from train.data.split import (
    EMPTY,
    TOO_LONG,
    Split,
    most_tokens,
    split_of,
)
from train.data.thoughts import Thinking
from train.devices.processes import say

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from train.config import TrainingConfig


def load_labelled(config: "TrainingConfig", tokenizer: "PreTrainedTokenizerBase") -> Split[Pair]:
    """Read, encode and split. Raises `UsageError` when nothing is left to train on."""
    dropped: dict[str, list[str]] = {}
    most = most_tokens(config)

    def encoded(sources: Sequence[str], limit: int | None) -> list[Pair]:
        kept, spelled = [], Spelled(tokenizer)
        thinking = Thinking(tokenizer, config.reasoning, "answer")
        for row in read_labelled(sources, limit, config.skip_bad_rows):
            if isinstance(row, UsageError):
                dropped.setdefault(BAD_ROW, []).append(str(row))
                continue
            asked, (answer,) = thinking.told(row.prompt, [row.answer])
            spelled.look(row.row_id, (answer.content,))
            prompt, ids = (np.array(p, np.int32) for p in encode_answer(tokenizer, asked, [answer]))
            pair = Pair(row.row_id, prompt_hash(asked), prompt, ids, ids, row.weight, label=row.label)
            if not (answer.content.strip() or answer.tool_calls) or not len(prompt):
                dropped.setdefault(EMPTY, []).append(row.row_id)
            elif pair.longest > most:
                dropped.setdefault(TOO_LONG, []).append(row.row_id)
            else:
                kept.append(pair)
        thinking.say()
        spelled.warn()
        return kept

    split = split_of(encoded, config, dropped, "answer")
    desirable = sum(bool(pair.label) for pair in split.training)
    say(f"unpaired answers: {desirable} desirable, {len(split.training) - desirable} undesirable")
    return split
