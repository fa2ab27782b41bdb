"""Answers as token ids, and as sequences padded on the right."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from train.data.split import TokenIds, Weights


class Answer(NamedTuple):
    """A prompt and one answer to it, as token ids; the answer ends in the token that ends a turn."""

    prompt_tokens: TokenIds
    answer_ids: TokenIds


class WeightedAnswer(Answer):
    """An answer with weights of its tokens. A model sees it as the answer that it is."""

    weights: Weights

    @classmethod
    def of(cls, answer: Answer, weights: Weights) -> "WeightedAnswer":
        """Return an answer with the weights of its tokens."""
        weighted = cls(*answer)
        weighted.weights = weights
        return weighted


def weights_of(answer: Answer) -> Weights | None:
    """Return the weights of its tokens; None where all are 1."""
    return answer.weights if isinstance(answer, WeightedAnswer) else None


class Layout(Protocol):
    """Answers in the form a model takes, and where they are in its output.

    A  answers    N  answer tokens that are predicted
    """

    @property
    def inputs(self) -> dict[str, Any]:
        """What the model is called with."""

    @property
    def rows_N(self) -> Tensor:
        """The sequence in which each answer token is predicted."""

    @property
    def columns_N(self) -> Tensor:
        """The position that predicts it."""

    @property
    def targets_N(self) -> Tensor:
        """The answer tokens."""

    @property
    def rows_A(self) -> Tensor:
        """The sequence in which each answer ends."""

    @property
    def columns_A(self) -> Tensor:
        """The position of its last token."""

    @property
    def tokens_A(self) -> Tensor:
        """Tokens of each answer."""

    def sums(self, logps_N: Tensor) -> Tensor:
        """Return sums (A,) over the tokens of each answer."""

    def padded(self, logps_N: Tensor) -> Tensor:
        """Return each answer's values in order (A, T), those of shared tokens included; 0 after its end."""

    def of_answers(self, values_N: Tensor) -> list[Tensor]:
        """Return the values of each answer's L tokens, shared ones included, in order (L, ...)."""


class Padded(NamedTuple):
    """Sequences padded on the right, and where their answers are.

    What fills the padding does not matter: it is masked, no answer attends to it, and no token id is
    ever compared with a padding id, which is often the id that ends a turn.
    """

    input_ids_AT: Tensor
    mask_AT: Tensor
    rows_N: Tensor
    columns_N: Tensor
    offsets_N: Tensor
    """The place of each answer token within its answer."""
    targets_N: Tensor
    tokens_A: Tensor

    @property
    def inputs(self) -> dict[str, Any]:
        """What a model is called with; it counts positions itself, as it does for anybody."""
        return {"input_ids": self.input_ids_AT, "attention_mask": self.mask_AT}

    @property
    def rows_A(self) -> Tensor:
        """One sequence an answer."""
        return torch.arange(len(self.tokens_A), device=self.tokens_A.device)

    @property
    def columns_A(self) -> Tensor:
        """The last token that is not padding."""
        return self.mask_AT.sum(1) - 1

    def sums(self, logps_N: Tensor) -> Tensor:
        """Return sums (A,); one row an answer, so that none depends on what else is in the batch."""
        return self.padded(logps_N).sum(1)

    def padded(self, logps_N: Tensor) -> Tensor:
        """Return the values of each answer's tokens in order (A, T); 0 after its end."""
        padded_AT = logps_N.new_zeros(self.input_ids_AT.shape)
        return padded_AT.index_put((self.rows_N, self.offsets_N), logps_N)

    def of_answers(self, values_N: Tensor) -> list[Tensor]:
        """Return the values (L, ...) of each answer's L tokens, in order."""
        return list(torch.split(values_N, self.tokens_A.tolist()))


def distinct(answers: Sequence[Answer]) -> tuple[list[Answer], list[int]]:
    """Return the distinct answers, and the index of each answer among them."""
    numbers: dict[tuple[bytes, bytes], int] = {}
    places = [numbers.setdefault(_key(answer), len(numbers)) for answer in answers]
    firsts = {place: answer for answer, place in zip(reversed(answers), reversed(places), strict=True)}
    return [firsts[number] for number in range(len(numbers))], places


def _key(answer: Answer) -> tuple[bytes, bytes]:
    return answer.prompt_tokens.tobytes(), answer.answer_ids.tobytes()


def moved(laid: Any, device: torch.device) -> Any:
    """Return the same layout with its tensors on a device."""
    parts = (p.to(device, non_blocking=True) if isinstance(p, Tensor) else p for p in laid)
    return type(laid)(*parts)


def collate(answers: Sequence[Answer]) -> Padded:
    """Return a batch of answers, on the CPU. Prompts and answers have at least one token each."""
    lengths_A = [len(a.prompt_tokens) + len(a.answer_ids) for a in answers]
    input_ids_AT = np.zeros((len(answers), max(lengths_A)), dtype=np.int64)
    mask_AT = np.zeros_like(input_ids_AT)
    for row, answer in enumerate(answers):
        input_ids_AT[row, : lengths_A[row]] = np.concatenate(answer)
        mask_AT[row, : lengths_A[row]] = 1
    offsets = [np.arange(len(a.answer_ids)) for a in answers]
    rows = [np.full(len(a.answer_ids), row) for row, a in enumerate(answers)]
    columns = [len(a.prompt_tokens) - 1 + o for a, o in zip(answers, offsets, strict=True)]
    flat = (np.concatenate(p) for p in (rows, columns, offsets, [a.answer_ids for a in answers]))
    tokens_A = np.array([len(a.answer_ids) for a in answers])
    arrays = (input_ids_AT, mask_AT, *flat, tokens_A)
    return Padded(*(torch.from_numpy(array.astype(np.int64)) for array in arrays))
