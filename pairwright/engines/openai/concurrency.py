"""The number of open requests, adapted to what the server bears."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

START = 16
SHRINK = 0.75
NEAR = 0.9
"""Share of the limit at an overload up to which growth is fast again."""
SUCCESSES_PER_STEP = 25


class AdaptiveLimit:
    """A limit on open requests that grows with success and shrinks with overload (AIMD).

    It grows by one with every success until the first overload. From then on by one with every 25,
    but fast again, after a shrinking, to near where it stood: a stray refusal costs little. An
    overload on the way there says that the bound is lower, and closes the fast way back.
    It also holds the cool-down: a moment before which the server wants no request at all.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self.limit = float(min(START, most))
        self.busy = 0
        self.cool_until = float("-inf")
        self._most = most
        self._clock = clock
        self._shrunk_at = float("-inf")
        self._why = ""
        self._near = float("inf")
        self._queue: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self, *, again: bool, until: float | None) -> AsyncIterator[None]:
        """Hold room for one open request. Requests that come `again` go before new ones.

        Raises `TimeoutError` when there is none before `until`.
        """
        async with asyncio.timeout_at(until):
            await self._enter(again)
        try:
            yield
        finally:
            self._leave()

    def succeeded(self) -> None:
        """Note an answer."""
        creep = self.limit + 1 / SUCCESSES_PER_STEP
        self.limit = min(max(creep, min(self.limit + 1, self._near)), float(self._most))
        self._admit()

    def overloaded(self, sent_at: float) -> None:
        """Note a sign of overload. One sent before the last shrinking says nothing new."""
        if sent_at >= self._shrunk_at:
            self._shrunk_at = self._clock()
            self._near = self.limit * (NEAR if self.limit > self._near else SHRINK)
            self.limit = max(1.0, self.limit * SHRINK)

    def cool(self, seconds: float, why: str) -> None:
        """Send no request for some seconds."""
        until = self._clock() + seconds
        if until > self.cool_until:
            self.cool_until, self._why = until, why

    @property
    def why_cool(self) -> str:
        """What the server said when it asked for the wait; empty where none is asked for by a reply."""
        return self._why if self.cool_left > 0 else ""

    @property
    def cool_left(self) -> float:
        """Seconds until requests may leave again; not above 0 when they may."""
        return self.cool_until - self._clock()

    async def _enter(self, again: bool) -> None:
        if self.busy < int(self.limit) and not self._queue:
            self.busy += 1
            return
        turn = asyncio.get_running_loop().create_future()
        (self._queue.appendleft if again else self._queue.append)(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # the turn was given and the waiter cancelled in the same instant
            raise

    def _leave(self) -> None:
        self.busy -= 1
        self._admit()

    def _admit(self) -> None:
        while self._queue and self.busy < int(self.limit):
            turn = self._queue.popleft()
            if not turn.done():
                self.busy += 1
                turn.set_result(None)
