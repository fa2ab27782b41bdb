"""Log-probabilities of answers: the one place where a language model is run on tokens.

    A  answers in a batch    N  answer tokens in all    V  vocabulary

Policy and reference both come through here, so that where they agree their log-ratio is zero.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.data.pairs import Pair
from train.forward.answers import Answer, Layout, WeightedAnswer, weights_of
from train.forward.layout import joined, lay_out, only, passes_of
from train.forward.model import backbone
from train.forward.vocabulary import asked_for, chunked


class AnswerLogprobs(NamedTuple):
    """Log-probabilities of answers under a model."""

    sums_A: Tensor
    """Log-probability of each answer given its prompt: nats, summed over its tokens, float32."""
    tokens_A: Tensor
    """Tokens of each answer, its last one included."""
    weighted_A: Tensor | None = None
    """The same sum, each token times its weight, where tokens have weights."""
    alignment_A: Tensor | None = None
    """Mean over its tokens of log p - log sum p^2, without gradient, where that was asked for: how likely
    an answer is beside what the model itself would sample."""


def answers_of(pairs: Sequence[Pair]) -> list[Answer]:
    """Return the chosen answers of all pairs, then the rejected ones, with the weights of their tokens."""
    chosen = [Answer(pair.prompt_tokens, pair.chosen_ids) for pair in pairs]
    answers = chosen + [Answer(pair.prompt_tokens, pair.rejected_ids) for pair in pairs]
    weights = [pair.token_weights and pair.token_weights[side] for side in (0, 1) for pair in pairs]
    return [
        answer if some is None else WeightedAnswer.of(answer, some)
        for answer, some in zip(answers, weights, strict=True)
    ]


def answer_logprobs(
    model: nn.Module, answers: Sequence[Answer], *, aligned: bool = False
) -> AnswerLogprobs:
    """Return the log-probability of every answer given its prompt, in the order given, with gradients.

    Answers to one prompt share its computation where the model allows that.
    """
    places = passes_of(model, answers)
    parts = [_logprobs(model, [answers[place] for place in some], aligned) for some in places]
    sums, tokens, weighted, alignment = zip(*parts, strict=True)
    also = ([some for some in values if some is not None] for values in (weighted, alignment))
    rest = (joined(values, places) if values else None for values in also)
    return AnswerLogprobs(joined(sums, places), joined(tokens, places), *rest)


def _logprobs(model: nn.Module, answers: Sequence[Answer], aligned: bool) -> AnswerLogprobs:
    """The same of answers that may share a pass."""
    out = lay_out(model, answers)
    logps_N, squares_N = (
        token_logprobs_and_squares(model, out.laid)
        if aligned
        else (
            token_logprobs(model, out.laid),
            None,
        )
    )
    sums_A = out.in_order(out.laid.sums(logps_N))
    weighted_A = None
    if any(isinstance(answer, WeightedAnswer) for answer in answers):
        padded_AT = out.in_order(out.laid.padded(logps_N))
        weights_AT = _padded_weights(answers, padded_AT.shape[1]).to(padded_AT.device, non_blocking=True)
        weighted_A = (padded_AT * weights_AT).sum(1)
    alignment_A = None
    if squares_N is not None:
        means_A = out.laid.sums(logps_N.detach() - squares_N) / out.laid.tokens_A
        alignment_A = out.in_order(means_A)
    return AnswerLogprobs(sums_A, out.in_order(out.laid.tokens_A), weighted_A, alignment_A)


def _padded_weights(answers: Sequence[Answer], width: int) -> Tensor:
    """The weights of each answer's tokens (A, T), on the CPU: 1 where it has none, 0 after its end."""
    weights_AT = np.zeros((len(answers), width), np.float32)
    for row, answer in enumerate(answers):
        weights = weights_of(answer)
        weights_AT[row, : len(answer.answer_ids)] = 1.0 if weights is None else weights
    return torch.from_numpy(weights_AT)


def token_logprobs(model: nn.Module, laid: Layout) -> Tensor:
    """Return the log-probability of each answer token, (N,).

    The vocabulary is only projected to where an answer token is predicted, in chunks where the
    model's head is a plain projection; the softmax is float32 whatever the model computes in.
    """
    if chunked(model):
        with asked_for(model, laid):
            logps_N: Tensor = model(**laid.inputs, use_cache=False).logits[0, :, 0]
        return logps_N
    return -F.cross_entropy(answer_logits(model, laid).float(), laid.targets_N, reduction="none")


def token_logprobs_and_squares(model: nn.Module, laid: Layout) -> tuple[Tensor, Tensor]:
    """Return `token_logprobs`, and log sum p^2 over the vocabulary at each token (N,), without gradient."""
    if chunked(model):
        with asked_for(model, laid, squares=True):
            found: Tensor = model(**laid.inputs, use_cache=False).logits[0]
        return found[:, 0], found[:, 1].detach()
    logps_NV = answer_logits(model, laid).float().log_softmax(1)
    return logps_NV.gather(1, laid.targets_N[:, None])[:, 0], (2 * logps_NV.detach()).logsumexp(1)


def answer_logits(model: nn.Module, laid: Layout) -> Tensor:
    """Return the logits that predict each answer token, (N, V).

    The model's own forward makes them, with whatever it does to logits (soft caps, scales), from
    hidden states cut down to those positions. A model that will not have that gives all logits.
    """
    with only(backbone(model), laid):
        logits: Tensor = model(**laid.inputs, use_cache=False).logits
    # N is below the tokens of every batch, since no prompt is empty.
    if logits.shape[:2] == (1, len(laid.targets_N)):
        return logits[0]
    return logits[laid.rows_N, laid.columns_N]
