"""One batch job at a provider: created once, watched, fetched, cancelled."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from pairwright.engines.openai.batch.endpoint import Endpoint, Seen, TroubleError
from pairwright.engines.openai.batch.store import Answer, Batch, BatchStore
from pairwright.engines.openai.faults import INVALID, INVALID_TRIES
from pairwright.engines.openai.retry import Backoff, Fault
from pairwright.errors import PairwrightError

T = TypeVar("T")

SETTLE = 15.0
"""Seconds until a job whose creation was cut off, and which is on no list, counts as never created."""
_SAID_AFTER = 10
_GONE = "http_404"
_AGAIN = "finished work is kept; run the same command again"


class BatchJobs:
    """Records every step before and after it is taken. `shown` is the provider's address for people."""

    def __init__(self, endpoint: Endpoint, store: BatchStore, shown: str, backoff: Backoff) -> None:
        self.endpoint = endpoint
        self.store = store
        self.shown = shown
        self.backoff = backoff
        self.news: deque[str] = deque()
        """Lines for people."""

    async def send(self, batch: Batch) -> Batch:
        """Create a job at the provider, or find that it is there.

        Raises `PairwrightError` where it is refused, and forgets it then.
        """
        batch = await self.found_again(batch)
        asked = () if batch.id else self.store.requests(batch)
        lines = [self.endpoint.line(batch.mark, one) for one in asked]
        while not batch.id:
            batch = await self._created(batch, lines)
        return batch

    async def found_again(self, batch: Batch) -> Batch:
        """Return a job with the provider's name, if its creation came so far; waits until that is sure.

        However the machine's clock was set since: it is waited for anew.
        """
        until = time.monotonic() + SETTLE
        while batch.asked and not batch.id:
            if found := await self._call_until_answered(partial(self.endpoint.find, batch)):
                return self.store.note(batch, id=found)
            if time.monotonic() > until:
                return self.store.note(batch, asked=0.0)
            await asyncio.sleep(min(1.0, SETTLE / 4))
        return batch

    async def look(self, batch: Batch, *, given_up: bool = False) -> Seen:
        """Return the state of a job; one that is `given_up` and no longer exists is finished."""
        try:
            return await self._call_until_answered(partial(self.endpoint.look, batch), gone=True)
        except TroubleError:
            if given_up:
                return Seen(over=True, status="gone")
            raise PairwrightError(
                f"the server at {self.shown} has no batch job {batch.id}: use the key that it was made by, "
                f"or give its {batch.requests:,} requests up with --cancel"
            ) from None

    async def fetch(self, batch: Batch, status: str) -> Batch:
        """Download the answers of a finished job; requests that it left out get status 0."""

        async def fetched() -> list[Answer]:
            return [answer async for answer in self.endpoint.answers(batch)]

        try:
            found = await self._call_until_answered(fetched, gone=True)
        except TroubleError:
            found = []
        nothing = {"error": {"message": f"it is {status}"}}
        kept = {asked.job.key: Answer(asked.job.key, 0, nothing) for asked in self.store.requests(batch)}
        for answer in found:
            if answer.key in kept and not kept[answer.key].status:  # the first one, of several
                kept[answer.key] = answer
        return self.store.keep(batch, kept.values())

    async def cancel(self, batch: Batch) -> Batch | None:
        """Let no further request of a job be worked on. None, and forgotten, if it never came to be."""
        batch = await self.found_again(batch)
        if not batch.id:
            self.store.forget(batch)
            return None
        with suppress(TroubleError):
            await self._call_until_answered(partial(self.endpoint.cancel, batch), gone=True)
        return batch

    async def _created(self, batch: Batch, lines: list[bytes]) -> Batch:
        if not batch.file:
            file = await self._call_until_answered(partial(self.endpoint.upload, batch, lines))
            batch = self.store.note(batch, file=file) if file else batch
        batch = self.store.note(batch, asked=time.time())
        try:
            return self.store.note(batch, id=await self.endpoint.create(batch, lines))
        except TroubleError as error:
            if error.fault.action != "retry":
                self.store.forget(batch)
                raise self.useless(error.fault) from None
            if error.fault.code == "http_429":  # it says itself that it made none
                batch = self.store.note(batch, asked=0.0)
            await asyncio.sleep(error.fault.wait or self.backoff.wait(1))
        return await self.found_again(batch)

    async def _call_until_answered(self, call: Callable[[], Awaitable[T]], *, gone: bool = False) -> T:
        """Call until it works: over a night, servers are away now and then.

        With `gone`, raises `TroubleError` where what is asked for is not there.
        """
        failures, unreadable = 0, 0
        while True:
            try:
                return await call()
            except TroubleError as error:
                if gone and error.fault.code == _GONE:
                    raise
                failures += 1
                unreadable += error.fault.code == INVALID
                if error.fault.action != "retry" or unreadable >= INVALID_TRIES:
                    raise self.useless(error.fault) from None
                if failures == _SAID_AFTER:
                    self.news.append(f"{self.shown}: {error.fault}; its jobs go on, and it is asked again")
                await asyncio.sleep(error.fault.wait or self.backoff.wait(failures))

    def refused(self, why: str) -> PairwrightError:
        """Return the error that ends a run where a job was refused as a whole."""
        return PairwrightError(
            f"the server at {self.shown} refuses the batch job ({why}); finished work is kept: run the "
            "same command again when that is mended, or without --batch"
        )

    def useless(self, fault: Fault) -> PairwrightError:
        """Return the error that ends a run for a server's refusal."""
        return PairwrightError(f"the server at {self.shown} {fault.text}; {_AGAIN}")
