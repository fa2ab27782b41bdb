"""How the items of an update are dealt to processes and forward passes.

An item is whatever a task trains on: it has a prompt and answers to it. Items that share a prompt
go together, so that it is computed once.
"""

import bisect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pairwright.errors import UsageError

WINDOW = 1024
"""Groups that are packed together; more would gain little and take long."""


class MicroBatch(NamedTuple):
    """Items of one forward pass on one process."""

    indices: list[int]
    weight: float
    """1; or 0 for work that only keeps a process in step with the others."""


class Group(NamedTuple):
    """Items that share a prompt."""

    indices: list[int]
    tokens: int
    """Tokens of the prompt and of every different answer to it."""
    longest: int
    """Tokens of the prompt with the longest answer."""
    answers: int


def deal(
    indices: Sequence[int],
    items: Sequence[Any],
    *,
    budget: int,
    rank: int = 0,
    world: int = 1,
    trees: bool = True,
) -> list[MicroBatch]:
    """The micro-batches of process `rank` of `world`: at most `budget` tokens each, equally many for all.

    Longest first, so that memory runs out at once or never. Trees are packed first-fit decreasing;
    where sequences are padded, like goes with like and padding counts. A group larger than the budget
    is alone in its micro-batch.
    """
    groups = sorted(_groups(indices, items), key=lambda group: -group.tokens)
    shares = _share_out(groups, world)
    packed = [list((_pack if trees else _stack)(share, budget)) for share in shares]
    rounds = max(map(len, packed))
    idle = [MicroBatch(groups[-1].indices, 0.0)] * (rounds - len(packed[rank])) if groups else []
    return [MicroBatch(chunk, 1.0) for chunk in packed[rank]] + idle


def require_room(items: Sequence[Any], budget: int) -> None:
    """Raise `UsageError`, naming the row, if the budget is too small for a prompt with its answers."""
    largest = max(_groups(range(len(items)), items), key=lambda group: group.tokens, default=None)
    if largest and largest.tokens > budget:
        raise UsageError(
            f"row {items[largest.indices[0]].row_id}: its prompt and answers have {largest.tokens} tokens, "
            f"more than micro_batch_tokens, which is {budget}; give at least that many"
        )


def count_prompts(indices: Sequence[int], items: Sequence[Any]) -> int:
    """How many micro-batches there are at most."""
    return len({items[index].prompt_tokens.tobytes() for index in indices})


def _groups(indices: Sequence[int], items: Sequence[Any]) -> Iterator[Group]:
    """Items by prompt, in the order of their first."""
    by_prompt: dict[bytes, list[int]] = {}
    for index in indices:
        by_prompt.setdefault(items[index].prompt_tokens.tobytes(), []).append(index)
    for together in by_prompt.values():
        answers = {ids.tobytes(): len(ids) for index in together for ids in items[index].sides.values()}
        prompt = len(items[together[0]].prompt_tokens)
        yield Group(together, prompt + sum(answers.values()), prompt + max(answers.values()), len(answers))


def _share_out(groups: Sequence[Group], world: int) -> list[list[Group]]:
    """Groups for each process: the next goes to who has the fewest tokens."""
    shares: list[list[Group]] = [[] for _ in range(world)]
    loads = [0] * world
    for group in groups:
        least = loads.index(min(loads))
        shares[least].append(group)
        loads[least] += group.tokens
    return shares


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
        if chunk and (rows + group.answers) * longest > budget:
            yield chunk
            chunk, rows, longest = [], 0, group.longest
        chunk += group.indices
        rows += group.answers
    if chunk:
        yield chunk
