"""How the items of an update are dealt to processes and forward passes.

An item is whatever a task trains on: it has a prompt and answers to it. Items that share a prompt
go together, so that it, and each different answer to it, is computed once.
"""

import bisect
from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from train.forward.layout import kind_of
from train.forward.support import UNLIMITED, TreeSupport

WINDOW = 1024
"""Groups that are packed together; more would gain little and take long."""
Part = frozenset[bytes]
"""Different answers to a prompt, as the bytes of their ids, that one forward pass computes."""
_TREES = {True: TreeSupport(True, UNLIMITED, ""), False: TreeSupport(False, 0, "")}


class MicroBatch(NamedTuple):
    """Items whose losses are computed together on one process, mostly in one forward pass."""

    indices: list[int]
    weight: float
    """1; or 0 for work that only keeps a process in step with the others."""
    parts: tuple[Part, ...] = ()
    """Where answers to one prompt do not go into one pass: what goes into each. All in one when empty."""


class Group(NamedTuple):
    """Items that share a prompt."""

    indices: list[int]
    prompt: int
    """Tokens of the prompt."""
    answers: dict[bytes, int]
    """Tokens of every different answer."""

    @property
    def tokens(self) -> int:
        """Tokens of the prompt and of every different answer to it."""
        return self.prompt + sum(self.answers.values())

    @property
    def longest(self) -> int:
        """Tokens of the prompt with the longest answer."""
        return self.prompt + max(self.answers.values())


def deal(
    indices: Sequence[int],
    items: Sequence[Any],
    *,
    budget: int,
    rank: int = 0,
    world: int = 1,
    trees: bool = True,
    support: TreeSupport | None = None,
) -> list[MicroBatch]:
    """Return the micro-batches of process `rank` of `world`: passes of at most `budget` tokens.

    All processes have as many passes.

    `support` is how the model is run (`trees` stands for one without limits). Longest first, so that
    memory runs out at once or never. Trees are packed first-fit decreasing, and one larger than the
    budget is alone; where sequences are padded, like goes with like, padding counts, and the answers to
    a prompt are divided among passes where they have to be.
    """
    support = support or _TREES[trees]
    groups = sorted(_groups(indices, items), key=lambda group: -group.tokens)
    shares = [list(_cut(share, budget, support)) for share in _share_out(groups, world)]
    mine = shares[rank]
    if not groups:
        return mine
    divided, whole = (max(counts) for counts in zip(*map(_passes, shares), strict=True))
    has_divided, has_whole = _passes(mine)
    last = groups[-1]
    some = (Part(list(last.answers)[:1]),) * (divided - has_divided)
    idle = [MicroBatch(last.indices, 0.0, some)] if some else []
    micros = sorted([*mine, *idle], key=lambda micro: not micro.parts)
    return micros + [MicroBatch(last.indices, 0.0)] * (whole - has_whole)


def require_room(items: Sequence[Any], budget: int) -> None:
    """Raise `UsageError`, naming the row, if the budget is too small for a prompt with its answers."""
    largest = max(_groups(range(len(items)), items), key=lambda group: group.tokens, default=None)
    if largest and largest.tokens > budget:
        raise UsageError(
            f"row {items[largest.indices[0]].row_id}: its prompt and answers have {largest.tokens} tokens, "
            f"more than micro_batch_tokens, which is {budget}; give at least that many"
        )


def count_prompts(indices: Sequence[int], items: Sequence[Any]) -> int:
    """Return the number of prompts, which is the most micro-batches there can be."""
    return len({items[index].prompt_tokens.tobytes() for index in indices})


def beyond(items: Sequence[Any], reach: int) -> int:
    """Return how many prompts have an answer that ends beyond `reach` tokens."""
    return sum(group.longest > reach for group in _groups(range(len(items)), items))


def _groups(indices: Sequence[int], items: Sequence[Any]) -> Iterator[Group]:
    """Items by prompt, in the order of their first."""
    by_prompt: dict[bytes, list[int]] = {}
    for index in indices:
        by_prompt.setdefault(items[index].prompt_tokens.tobytes(), []).append(index)
    for together in by_prompt.values():
        answers = {ids.tobytes(): len(ids) for index in together for ids in items[index].sides.values()}
        yield Group(together, len(items[together[0]].prompt_tokens), answers)


def _share_out(groups: Sequence[Group], world: int) -> list[list[Group]]:
    """Groups for each process: the next goes to who has the fewest tokens."""
    shares: list[list[Group]] = [[] for _ in range(world)]
    loads = [0] * world
    for group in groups:
        least = loads.index(min(loads))
        shares[least].append(group)
        loads[least] += group.tokens
    return shares


def _passes(micros: Sequence[MicroBatch]) -> tuple[int, int]:
    """Forward passes of divided micro-batches, and of whole ones."""
    return sum(len(micro.parts) for micro in micros), sum(not micro.parts for micro in micros)


def _cut(groups: Sequence[Group], budget: int, support: TreeSupport) -> Iterator[MicroBatch]:
    """Micro-batches of one process: those that are divided, then whole ones, kind by kind."""
    whole: dict[tuple[bool, Hashable], list[Group]] = {}
    for group in groups:
        kinds = {kind_of(support, group.prompt + tokens) for tokens in group.answers.values()}
        in_tree, _ = kind = next(iter(kinds))
        fits = in_tree or len(group.answers) * group.longest <= budget or len(group.answers) == 1
        if len(kinds) == 1 and fits:
            whole.setdefault(kind, []).append(group)
        else:
            yield MicroBatch(group.indices, 1.0, tuple(_divided(group, budget, support)))
    for (in_tree, _), some in whole.items():
        for chunk in (_pack if in_tree else _stack)(some, budget):
            yield MicroBatch(chunk, 1.0)


def _divided(group: Group, budget: int, support: TreeSupport) -> Iterator[Part]:
    """The different answers to a prompt, longest first, as parts that go into a pass each."""

    def kind(answer: bytes) -> tuple[bool, Hashable]:
        return kind_of(support, group.prompt + group.answers[answer])

    longest_first = sorted(group.answers, key=lambda answer: -group.answers[answer])
    for (in_tree, _), alike in groupby(longest_first, key=kind):
        if in_tree:
            yield Part(alike)
            continue
        some: list[bytes] = []
        for answer in alike:
            if some and (len(some) + 1) * (group.prompt + group.answers[some[0]]) > budget:
                yield Part(some)
                some = []
            some.append(answer)
        yield Part(some)


def _pack(groups: Sequence[Group], budget: int) -> Iterator[list[int]]:
    """Groups, longest first, each into the fullest micro-batch that has room for it."""
    for start in range(0, len(groups), WINDOW):
        bins: list[list[int]] = []
        rooms: list[tuple[int, int]] = []
        """Tokens that still fit, and which micro-batch; sorted."""
        for group in groups[start : start + WINDOW]:
            place = bisect.bisect_left(rooms, (group.tokens, 0))
            room, number = rooms.pop(place) if place < len(rooms) else (budget, len(bins))
            if number == len(bins):
                bins.append([])
            bins[number] += group.indices
            bisect.insort(rooms, (room - group.tokens, number))
        yield from bins


def _stack(groups: Sequence[Group], budget: int) -> Iterator[list[int]]:
    """Groups of like length, as many as the budget holds when all are padded to the longest."""
    chunk: list[int] = []
    rows, longest = 0, 0
    for group in sorted(groups, key=lambda group: -group.longest):
        longest = max(longest, group.longest)
        if chunk and (rows + len(group.answers)) * longest > budget:
            yield chunk
            chunk, rows, longest = [], 0, group.longest
        chunk += group.indices
        rows += len(group.answers)
    if chunk:
        yield chunk
