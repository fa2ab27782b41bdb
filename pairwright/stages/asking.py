"""Conversations with engines as generators: they ask for completions, are sent them, and return."""

from collections.abc import Generator, Sequence
from typing import Any, TypeAlias, TypeVar

from pairwright.records import Completion, Request

T = TypeVar("T")
Asking: TypeAlias = Generator[list[Request], list[Completion], T]
"""Part of an item's work: yields requests, is sent their completions in order, returns a `T`."""


class Unanswered(Exception):
    """Raised inside of an item's work where a request failed for good; uncaught, the item is `failed`."""


class Meter:
    """Counts the tokens of an item's completions and keeps thoughts, for its columns.

    The thoughts are those of engines whose role begins with `thinker`.
    """

    def __init__(self, thinker: str) -> None:
        self._thinker = thinker
        self._tokens = {"prompt_tokens": 0, "completion_tokens": 0}
        self._reasoning_tokens: int | None = None
        self._thoughts: list[str] = []

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of the item's first row."""
        thoughts = "\n\n".join(self._thoughts) or None
        return self._tokens | {"reasoning": thoughts, "reasoning_tokens": self._reasoning_tokens}

    @property
    def free(self) -> dict[str, Any]:
        """The same of its further rows, which cost nothing more."""
        return dict.fromkeys(self._tokens, 0) | {"reasoning": None, "reasoning_tokens": None}

    def counting(self, asking: Asking[T]) -> Asking[T]:
        """Find the same conversation, overheard."""
        answers: list[Completion] | None = None
        failure: Unanswered | None = None
        while True:
            try:
                # None begins it.
                requests = asking.send(answers) if failure is None else asking.throw(failure)  # type: ignore[arg-type]
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            failure = None
            try:
                answers = yield requests
            except Unanswered as error:
                failure = error
                continue
            for request, completion in zip(requests, answers, strict=True):
                self._count(completion)
                if completion.reasoning and request.role.startswith(self._thinker):
                    self._thoughts.append(completion.reasoning)

    def _count(self, completion: Completion) -> None:
        self._tokens["prompt_tokens"] += completion.prompt_tokens
        self._tokens["completion_tokens"] += completion.completion_tokens
        if completion.reasoning_tokens is not None:
            self._reasoning_tokens = (self._reasoning_tokens or 0) + completion.reasoning_tokens


def together(askings: Sequence[Asking[T]]) -> Asking[list[T]]:
    """Run all of them at once: their requests go out in one list. Results in their order."""
    results: dict[int, T] = {}
    answers: dict[int, list[Completion] | None] = dict.fromkeys(range(len(askings)))
    while answers:
        asked: dict[int, list[Request]] = {}
        for place, answer in answers.items():
            try:
                asked[place] = askings[place].send(answer)  # type: ignore[arg-type]  # None begins it
            except StopIteration as stop:
                results[place] = stop.value
        if not asked:
            break
        found = iter((yield [request for requests in asked.values() for request in requests]))
        answers = {place: [next(found) for _ in requests] for place, requests in asked.items()}
    return [results[place] for place in range(len(askings))]
