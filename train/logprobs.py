"""Log-probabilities of answers: the one place where a model is run on tokens.

    A  answers in a batch        T  tokens of the longest sequence
    N  answer tokens in all      V  vocabulary

Policy and reference both come through here, so that where they agree their log-ratio is zero.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.utils import ModelOutput

from train.pairs import Pair, TokenIds


class Answer(NamedTuple):
    """A prompt and one answer to it, as token ids; the answer ends in the token that ends a turn."""

    prompt_ids: TokenIds
    answer_ids: TokenIds


class AnswerLogprobs(NamedTuple):
    """What a model thinks of answers."""

    sums_A: Tensor
    """Log-probability of each answer given its prompt: nats, summed over its tokens, float32."""
    tokens_A: Tensor
    """Tokens of each answer, its last one included."""


class Batch(NamedTuple):
    """Sequences padded on the right, and where their answers are.

    What fills the padding does not matter: it is masked, no answer attends to it, and no token id is
    ever compared with a padding id, which is often the id that ends a turn.
    """

    input_ids_AT: Tensor
    mask_AT: Tensor
    rows_N: Tensor
    """The sequence of each answer token."""
    columns_N: Tensor
    """The position that predicts it, one before its own."""
    offsets_N: Tensor
    """Its place within its answer."""
    targets_N: Tensor
    tokens_A: Tensor


def answers_of(pairs: Sequence[Pair]) -> list[Answer]:
    """The chosen answers of all pairs, then the rejected ones."""
    chosen = [Answer(pair.prompt_ids, pair.chosen_ids) for pair in pairs]
    return chosen + [Answer(pair.prompt_ids, pair.rejected_ids) for pair in pairs]


def answer_logprobs(model: nn.Module, answers: Sequence[Answer]) -> AnswerLogprobs:
    """Log-probability of every answer given its prompt, in the order given, with gradients.

    The vocabulary is only projected to where an answer token is predicted; the softmax is float32
    whatever the model computes in.
    """
    batch = collate(answers, next(model.parameters()).device)
    logits_NV = answer_logits(model, batch).float()
    logps_N = -F.cross_entropy(logits_NV, batch.targets_N, reduction="none")
    longest = max(len(answer.answer_ids) for answer in answers)
    # One answer a row, so that its sum does not depend on what else is in the batch.
    logps_AN = logps_N.new_zeros(len(answers), longest)
    logps_AN = logps_AN.index_put((batch.rows_N, batch.offsets_N), logps_N)
    return AnswerLogprobs(logps_AN.sum(1), batch.tokens_A)


def answer_logits(model: nn.Module, batch: Batch) -> Tensor:
    """Logits (N, V) that predict each answer token.

    The model's own forward makes them, with whatever it does to logits (soft caps, scales), from
    hidden states cut down to those positions. A model that will not have that gives all logits.
    """
    positions_T = torch.arange(batch.input_ids_AT.shape[1], device=batch.input_ids_AT.device)
    with _only(backbone(model), batch.rows_N, batch.columns_N):
        logits: Tensor = model(
            input_ids=batch.input_ids_AT,
            attention_mask=batch.mask_AT,
            position_ids=positions_T.expand_as(batch.input_ids_AT),
            use_cache=False,
        ).logits
    # N is below A * T for every batch, since no prompt is empty.
    if logits.shape[:2] == (1, len(batch.rows_N)):
        return logits[0]
    return logits[batch.rows_N, batch.columns_N]


def collate(answers: Sequence[Answer], device: torch.device) -> Batch:
    """A batch of answers on a device. Prompts and answers have at least one token each."""
    lengths_A = [len(a.prompt_ids) + len(a.answer_ids) for a in answers]
    input_ids_AT = np.zeros((len(answers), max(lengths_A)), dtype=np.int64)
    mask_AT = np.zeros_like(input_ids_AT)
    for row, answer in enumerate(answers):
        input_ids_AT[row, : lengths_A[row]] = np.concatenate(answer)
        mask_AT[row, : lengths_A[row]] = 1
    offsets = [np.arange(len(a.answer_ids)) for a in answers]
    rows = [np.full(len(a.answer_ids), row) for row, a in enumerate(answers)]
    columns = [len(a.prompt_ids) - 1 + o for a, o in zip(answers, offsets, strict=True)]
    flat = (np.concatenate(p) for p in (rows, columns, offsets, [a.answer_ids for a in answers]))
    tokens_A = np.array([len(a.answer_ids) for a in answers])
    arrays = (input_ids_AT, mask_AT, *flat, tokens_A)
    return Batch(*(torch.from_numpy(array.astype(np.int64)).to(device) for array in arrays))


def backbone(model: nn.Module) -> nn.Module:
    """The part of a language model that makes hidden states, under whatever wraps it."""
    inner: Any = getattr(model, "module", model)
    if hasattr(inner, "get_base_model"):
        inner = inner.get_base_model()
    base: nn.Module = getattr(inner, "base_model", inner)
    return base


@contextmanager
def _only(base: nn.Module, rows_N: Tensor, columns_N: Tensor) -> Iterator[None]:
    """Within it, `base` gives out hidden states (1, N, width): those of the given positions."""

    def cut(module: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(output, ModelOutput) and "last_hidden_state" in output:
            output["last_hidden_state"] = output["last_hidden_state"][rows_N, columns_N][None]
        return output

    handle = base.register_forward_hook(cut)
    try:
        yield
    finally:
        handle.remove()
