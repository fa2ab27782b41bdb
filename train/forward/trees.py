"""Answers that share a prompt as one tree, and several trees as one sequence.

    T  tokens of a forest       N  answer tokens that are predicted, each once
    A  answers of a forest      S  segments: trunks and branches with answer tokens in them

The prompt, and what all answers to it begin with, is the trunk; what is left of each answer is a
branch. A model that runs on a forest sees every shared token once, and no padding.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from train.data.split import TokenIds
from train.forward.answers import Answer


class Tree(NamedTuple):
    """A prompt and the answers to it, as token ids."""

    prompt_tokens: TokenIds
    shared_ids: TokenIds
    """What all answers begin with; at least one token of each answer is left for its branch."""
    branches: tuple[TokenIds, ...]

    @property
    def tokens(self) -> int:
        """Tokens a model sees."""
        return self.trunk + sum(map(len, self.branches))

    @property
    def trunk(self) -> int:
        """Tokens that all answers share."""
        return len(self.prompt_tokens) + len(self.shared_ids)

    @property
    def longest(self) -> int:
        """Tokens of the prompt with the longest answer."""
        return self.trunk + max(map(len, self.branches))


class TreeSpan(NamedTuple):
    """The span of a tree in its forest: the trunk from `start` to `fork`, then the branches."""

    start: int
    fork: int
    ends: tuple[int, ...]
    """One past the last token of each branch."""

    def branches(self) -> list[tuple[int, int]]:
        """Return the first token of each branch and one past its last."""
        return list(zip((self.fork, *self.ends[:-1]), self.ends, strict=True))


class ForestMask:
    """Which tokens of a forest see which: a token sees its own branch and trunk, up to itself.

    Not a tuple, so that nothing that carries it to the attention takes it apart.
    """

    def __init__(self, spans: Sequence[TreeSpan]) -> None:
        self.spans = tuple(spans)
        self.tokens = spans[-1].ends[-1]
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the result of `make`, called once for each name, since every layer asks for the same."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def segments(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return the tree of each token (T,), and its branch (T,): 0 in the trunk."""
        trees, branches = np.empty(self.tokens, np.int32), np.empty(self.tokens, np.int32)
        for number, span in enumerate(self.spans):
            trees[span.start : span.ends[-1]] = number
            branches[span.start : span.fork] = 0
            for branch, (start, end) in enumerate(span.branches(), start=1):
                branches[start:end] = branch
        return trees, branches


class Forest(NamedTuple):
    """Trees as one sequence, and where their answers are. It is read as a `Padded` is."""

    layout: ForestMask
    input_ids_T: Tensor
    positions_T: Tensor
    """Place in prompt and answer: a branch goes on where its trunk ends."""
    columns_N: Tensor
    """The token that predicts each answer token: a branch's first is predicted by its trunk's last."""
    targets_N: Tensor
    segments_N: Tensor
    offsets_N: Tensor
    """The place of each answer token within its segment."""
    trunks_A: Tensor
    """The segment of the tokens that an answer shares; segment 0 is empty."""
    branches_A: Tensor
    """The segment of an answer's own tokens."""
    columns_A: Tensor
    """The last token of each answer."""
    tokens_A: Tensor
    """Tokens of each answer, the shared ones too."""
    shape: tuple[int, int]
    """Segments, and answer tokens of the longest."""

    @property
    def inputs(self) -> dict[str, Any]:
        """What a model is called with: one sequence and its layout."""
        return {
            "input_ids": self.input_ids_T[None],
            "position_ids": self.positions_T[None],
            "layout": self.layout,
        }

    @property
    def rows_N(self) -> Tensor:
        """All tokens are in one sequence."""
        return torch.zeros_like(self.columns_N)

    @property
    def rows_A(self) -> Tensor:
        """All tokens are in one sequence."""
        return torch.zeros_like(self.columns_A)

    def sums(self, logps_N: Tensor) -> Tensor:
        """Return sums (A,) over the tokens of each answer.

        Every segment is summed by itself, so a sum does not depend on what else is in the forest.
        """
        padded_SL = logps_N.new_zeros(self.shape)
        sums_S = padded_SL.index_put((self.segments_N, self.offsets_N), logps_N).sum(1)
        return sums_S[self.trunks_A] + sums_S[self.branches_A]

    def padded(self, logps_N: Tensor) -> Tensor:
        """Return each answer's values in order (A, T), those of shared tokens included; 0 after its end.

        T is the most that a trunk and a branch could have together, so that the device need not be asked.
        """
        segments, longest = self.shape
        padded_SL = logps_N.new_zeros(self.shape).index_put((self.segments_N, self.offsets_N), logps_N)
        shared_A = torch.bincount(self.segments_N, minlength=segments)[self.trunks_A]
        places_T = torch.arange(2 * longest, device=shared_A.device)
        own_AT = places_T - shared_A[:, None]
        trunk_AT = padded_SL[self.trunks_A][:, places_T.clamp(max=longest - 1)]
        branch_AT = padded_SL[self.branches_A].gather(1, own_AT.clamp(0, longest - 1))
        values_AT = torch.where(own_AT < 0, trunk_AT, branch_AT)
        return torch.where(places_T < self.tokens_A[:, None], values_AT, 0.0)

    def of_answers(self, values_N: Tensor) -> list[Tensor]:
        """Return the values of each answer's L tokens, shared ones included, in order (L, ...)."""
        sizes = torch.bincount(self.segments_N, minlength=self.shape[0]).tolist()
        parts = torch.split(values_N, sizes)
        segments = zip(self.trunks_A.tolist(), self.branches_A.tolist(), strict=True)
        return [torch.cat([parts[trunk], parts[branch]]) for trunk, branch in segments]


def trees_of(answers: Sequence[Answer]) -> tuple[list[Tree], list[int]]:
    """Return the trees of answers, and the place of each answer among the answers of the trees.

    Answers to one prompt are in one tree wherever they stand; equal ones are in it once.
    """
    grouped: dict[bytes, dict[bytes, None]] = {}
    for answer in answers:
        grouped.setdefault(answer.prompt_tokens.tobytes(), {})[answer.answer_ids.tobytes()] = None
    numbers: dict[tuple[bytes, bytes], int] = {}
    trees = []
    for prompt, branches in grouped.items():
        numbers |= {(prompt, branch): len(numbers) + i for i, branch in enumerate(branches)}
        ids = [np.frombuffer(part, dtype=np.int32) for part in (prompt, *branches)]
        trees.append(tree_of(ids[0], ids[1:]))
    return trees, [numbers[a.prompt_tokens.tobytes(), a.answer_ids.tobytes()] for a in answers]


def tree_of(prompt_tokens: TokenIds, answers: Sequence[TokenIds]) -> Tree:
    """Return the tree of a prompt and its answers; none of them is empty."""
    shared = min(len(answer) for answer in answers) - 1
    first = answers[0][:shared]
    for other in answers[1:]:
        unequal = np.flatnonzero(first != other[: len(first)])
        first = first[: unequal[0]] if len(unequal) else first
    # One answer alone needs no fork: it is a trunk of its prompt and a branch.
    first = first if len(answers) > 1 else first[:0]
    return Tree(prompt_tokens, first, tuple(answer[len(first) :] for answer in answers))


class _Planting:
    """The parts of a forest as they are laid down."""

    def __init__(self) -> None:
        self.spans: list[TreeSpan] = []
        self.ids: list[TokenIds] = []
        self.positions: list[npt.NDArray[Any]] = []
        self.columns: list[npt.NDArray[Any]] = []
        self.targets: list[TokenIds] = [np.empty(0, np.int32)]
        """By segment; segment 0 is empty."""
        self.trunks: list[int] = []
        self.branches: list[int] = []
        self.lasts: list[int] = []
        self.lengths: list[int] = []

    def add(self, tree: Tree, start: int) -> int:
        """Lay a tree down from token `start` on; returns one past its last token."""
        prompt, shared, fork = len(tree.prompt_tokens), len(tree.shared_ids), start + tree.trunk
        self.ids += [tree.prompt_tokens, tree.shared_ids]
        self.positions.append(np.arange(tree.trunk))
        trunk = self._segment(np.arange(start + prompt - 1, fork - 1), tree.shared_ids) if shared else 0
        ends, at = [], fork
        for branch in tree.branches:
            end = at + len(branch)
            self.ids.append(branch)
            self.positions.append(np.arange(tree.trunk, tree.trunk + len(branch)))
            self.trunks.append(trunk)
            self.branches.append(self._segment(np.array([fork - 1, *range(at, end - 1)]), branch))
            self.lasts.append(end - 1)
            self.lengths.append(shared + len(branch))
            ends.append(end)
            at = end
        self.spans.append(TreeSpan(start, fork, tuple(ends)))
        return at

    def _segment(self, columns: npt.NDArray[Any], targets: TokenIds) -> int:
        self.columns.append(columns)
        self.targets.append(targets)
        return len(self.targets) - 1

    def forest(self) -> Forest:
        """All of it as tensors on the CPU."""
        sizes = [len(targets) for targets in self.targets]
        parts = (
            np.concatenate(self.ids),
            np.concatenate(self.positions),
            np.concatenate(self.columns),
            np.concatenate(self.targets),
            np.repeat(np.arange(len(sizes)), sizes),
            np.concatenate([np.arange(size) for size in sizes]),
            np.array(self.trunks),
            np.array(self.branches),
            np.array(self.lasts),
            np.array(self.lengths),
        )
        tensors = (torch.from_numpy(part.astype(np.int64)) for part in parts)
        return Forest(ForestMask(self.spans), *tensors, (len(sizes), max(sizes)))  # type: ignore


def plant(trees: Iterable[Tree]) -> Forest:
    """Lay trees out as one sequence, on the CPU. Answers are numbered tree by tree, in order."""
    planting, at = _Planting(), 0
    for tree in trees:
        at = planting.add(tree, at)
    return planting.forest()
