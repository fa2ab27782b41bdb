"""One request of every form is sent ahead of the others, until the server is known to take them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from pairwright.engines.openai.faults import BREAKING, INVALID
from pairwright.engines.openai.retry import Fault
from pairwright.records import Completion

HELD = 10.0
"""Seconds that requests wait for the one ahead. A refusal comes sooner; an answer may take its time."""
HELD_AT_FAULT = 150.0
"""Seconds that they wait where the one ahead met a fault of the server's, and is tried again."""
_OF_THE_ROW = ("messages", "seed")

Form: TypeAlias = frozenset[tuple[str, Any]]
"""The fields of a request, with the values that all rows share."""


def form_of(body: Mapping[str, Any]) -> Form:
    """Return the form of a request, which requests of one kind share."""
    scalar = (str, int, float, bool)
    return frozenset(
        (name, value if isinstance(value, scalar) and name not in _OF_THE_ROW else None)
        for name, value in body.items()
    )


class FirstRequests:
    """Which forms of requests a server has taken, and which request is ahead of the others.

    Of requests that are refused one goes after the other, so that a run that cannot work is found out
    by a few of them. To be used on one event loop.
    """

    def __init__(self) -> None:
        self.held = HELD
        self.answers: set[Form] = set()
        """The forms of requests that were answered."""
        self._taken: set[Form] = set()
        self._ahead: dict[Form, asyncio.Event] = {}

    def have_answered(self, body: Mapping[str, Any]) -> bool:
        """Return whether a request of this form was ever answered."""
        return form_of(body) in self.answers

    def have_taken(self, body: Mapping[str, Any]) -> bool:
        """Return whether requests of this form no longer wait for one ahead."""
        return form_of(body) in self._taken

    def _proven(self, form: Form, rows: bool) -> None:
        self.answers.add(form)
        if rows:
            self._taken.add(form)

    @asynccontextmanager
    async def turn(
        self, body: Mapping[str, Any], *, alone: bool = True, rows: bool = True
    ) -> AsyncIterator[Callable[[Completion | Fault], None]]:
        """Wait while another request of this form is ahead; unless `alone`, go at once and block no other.

        Yields a function that takes the result of every attempt. Where it is none of the `rows`, its answer
        does not show that the server takes theirs.
        """
        form = form_of(body)
        if not alone:
            yield lambda outcome: self._proven(form, rows) if isinstance(outcome, Completion) else None
            return
        while form not in self._taken and form in self._ahead:
            await self._ahead[form].wait()
        back = asyncio.Event()
        loop = asyncio.get_running_loop()
        patience: asyncio.TimerHandle | None = None

        def taken() -> None:
            self._taken.add(form)
            back.set()

        def heard(outcome: Completion | Fault) -> None:
            """Release the other requests once the server has answered, or is merely busy."""
            nonlocal patience
            if isinstance(outcome, Completion):
                self.answers.add(form)
                taken()
            elif outcome.code in BREAKING and form not in self.answers | self._taken:
                if patience is not None:
                    patience.cancel()
                patience = loop.call_later(max(self.held, HELD_AT_FAULT), taken)
            elif outcome.action == "retry" and outcome.code != INVALID:
                taken()

        if form in self._taken:
            yield heard
            return
        self._ahead[form] = back
        patience = loop.call_later(self.held, taken)
        try:
            yield heard
        finally:
            patience.cancel()
            del self._ahead[form]
            back.set()
