"""Conversations with engines as generators: they ask for completions, are sent them, and return."""

from collections.abc import Generator, Sequence
from typing import TypeAlias, TypeVar

from pairwright.records import Completion, Request

T = TypeVar("T")
Asking: TypeAlias = Generator[list[Request], list[Completion], T]
"""Part of an item's work: yields requests, is sent their completions in order, returns a `T`."""


class Meter:
    """Counts the tokens of an item's completions, for its columns."""

    def __init__(self) -> None:
        self.columns = {"prompt_tokens": 0, "completion_tokens": 0}

    def counting(self, asking: Asking[T]) -> Asking[T]:
        """The same conversation, overheard."""
        answers: list[Completion] | None = None
        while True:
            try:
                requests = asking.send(answers)  # type: ignore[arg-type]  # None begins it
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            answers = yield requests
            for completion in answers:
                self.columns["prompt_tokens"] += completion.prompt_tokens
                self.columns["completion_tokens"] += completion.completion_tokens


def together(askings: Sequence[Asking[T]]) -> Asking[list[T]]:
    """All of them at once: what any of them asks goes out in one list. Results in their order."""
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
