"""Gathers requests into batch jobs, watches the jobs, and returns their answers.

To be used on one event loop. A job is recorded before anything of it is sent, so that a command which was
killed finds it again and sends nothing twice.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pairwright.engines.openai.batch.endpoint import Seen
from pairwright.engines.openai.batch.jobs import BatchJobs
from pairwright.engines.openai.batch.store import Answer, Asked, Batch
from pairwright.engines.openai.retry import Fault
from pairwright.errors import PairwrightError
from pairwright.records import Job

TICK = 0.05
QUIET = 2.0
"""Seconds without a new request after which those at hand are sent, while other engines are at work."""
LONGEST = 120.0
"""Seconds that a request waits for others at most."""
FIRST_LOOK, LAST_LOOK = 0.1, 60.0
"""Seconds between looks at the jobs, at first and in the end."""
ROOM_AFTER = 60.0
"""Seconds after which a job is sent again that found the provider's queue full."""

GIVEN_UP = "batch_unanswered"
"""Code of a request that a job ended without, so that it is asked again."""
_TIMES_GIVEN_UP = 5


class BatchQueue:
    """The batch jobs of one engine.

    `in_hand` says how many requests the engine has in hand: once all of them are here, and `alone` says
    that nobody else is at work who might bring more, or `still` that whoever asks has waited in vain for a
    while, they are sent. All three are asked on the event loop.
    """

    def __init__(
        self,
        jobs: BatchJobs,
        engine: str,
        *,
        in_hand: Callable[[], int],
        alone: Callable[[], bool],
        still: Callable[[], bool],
    ) -> None:
        self.jobs = jobs
        self._engine = engine
        self._in_hand = in_hand
        self._alone = alone
        self._still = still
        self._pending: dict[str, tuple[Asked, asyncio.Future[Answer]]] = {}
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._ready: dict[str, Answer] = {}
        self._batches: dict[str, Batch] = {}
        self._where: dict[str, str] = {}
        self._left: dict[str, set[str]] = {}
        """By job: its requests that are not known to be kept."""
        self._seen: dict[str, Seen] = {}
        self._not_before: dict[str, float] = {}
        self._arrived = self._first = self._look_at = 0.0
        self._pause = FIRST_LOOK
        self._clerk: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()
        for batch in jobs.store.all():
            if batch.engine == engine:
                self._take_up(batch)

    def knows(self, key: str) -> bool:
        """Return whether a request is in a job already."""
        return key in self._where

    async def ask(self, job: Job, body: Mapping[str, Any]) -> Answer | Fault:
        """Return a job's answer to a request; one that is in a job already is not sent again."""
        answer = self._ready.pop(job.key, None)
        if answer is None:
            waiting = asyncio.get_running_loop().create_future()
            if job.key in self._where:
                self._waiting[job.key] = waiting
            else:
                self._pending[job.key] = (Asked(job, dict(body)), waiting)
                self._arrived = time.monotonic()
                self._first = self._first if len(self._pending) > 1 else self._arrived
            if self._clerk is None or self._clerk.done():
                self._clerk = asyncio.create_task(self._work())
            try:
                answer = await waiting
            finally:
                self._pending.pop(job.key, None)
                self._waiting.pop(job.key, None)
        self._where.pop(job.key, None)  # whoever asks once more asks anew
        if answer.status:
            return answer
        said = answer.body.get("error")
        why = said.get("message") if isinstance(said, dict) else said
        return Fault(GIVEN_UP, f"the batch job ended without it ({why})", tries=_TIMES_GIVEN_UP, wait=0.0)

    def kept(self, keys: Iterable[str]) -> None:
        """Note requests whose answers are kept, and forget jobs of which all are."""
        for key in keys:
            for mark, left in list(self._left.items()):
                left.discard(key)
                if not left and self._batches[mark].over:
                    self._drop(mark)

    @property
    def out(self) -> list[Batch]:
        """The jobs that are not over."""
        return [batch for batch in self._batches.values() if not batch.over]

    @property
    def waits(self) -> str:
        """The open jobs in a few words; empty without any."""
        if not (out := self.out):
            return ""
        seen = [self._seen[batch.mark] for batch in out if batch.mark in self._seen]
        jobs = "1 batch job" if len(out) == 1 else f"{len(out)} batch jobs"
        answered, asked = sum(s.answered for s in seen), sum(batch.requests for batch in out)
        states = "".join(f", {status}" for status in sorted({s.status for s in seen}))
        return f"{jobs} at {self.jobs.shown}: {answered:,} of {asked:,} answered{states}"

    async def settle(self) -> None:
        """Send nothing further, but finish sending what is on its way to the provider."""
        self._pending.clear()
        async with self._sending:
            if self._clerk is not None:
                self._clerk.cancel()

    async def cancel(self) -> list[tuple[Asked, Answer]]:
        """Cancel every job, wait until each is finished, and return their answers."""
        for batch in self.out:
            cancelled = await self.jobs.cancel(batch)
            if cancelled is None:
                del self._batches[batch.mark]
            else:
                self._batches[batch.mark] = cancelled
        while self.out:
            await self._look(given_up=True)
            await asyncio.sleep(min(self._pause, 5.0))
        found = []
        for batch in self._batches.values():
            asked = {one.job.key: one for one in self.jobs.store.requests(batch)}
            answers = self.jobs.store.answers(batch)
            found += [(asked[answer.key], answer) for answer in answers if answer.status]
        return found

    def forget(self) -> None:
        """Forget the finished jobs."""
        for mark in [mark for mark, batch in self._batches.items() if batch.over]:
            self._drop(mark)

    def _take_up(self, batch: Batch) -> None:
        """Go on with a job that an earlier process has put down."""
        keys = {asked.job.key for asked in self.jobs.store.requests(batch)}
        self._batches[batch.mark], self._left[batch.mark] = batch, keys
        for key in keys:
            self._ready.pop(key, None)
            self._where[key] = batch.mark
        if batch.over:
            self._hand_out(batch)

    async def _work(self) -> None:
        """Send and watch, as long as somebody asks; an error is everybody's."""
        try:
            while True:
                for batch in self.out:
                    if not batch.id and time.monotonic() >= self._not_before.get(batch.mark, 0.0):
                        await self._send(batch)
                if ripe := self._ripe():
                    self._cut(ripe)
                elif self.out and time.monotonic() >= self._look_at:
                    await self._look()
                await asyncio.sleep(TICK)
        except Exception as error:
            for waiting in [*(w for _, w in self._pending.values()), *self._waiting.values()]:
                if not waiting.done():
                    waiting.set_exception(error)

    def _ripe(self) -> int:
        """How many of the requests at hand wait no longer for others: whole files of them, or all."""
        if not self._pending:
            return 0
        now, many = time.monotonic(), len(self._pending)
        all_here = self._in_hand() <= many + len(self._waiting)
        sure = self._alone()  # asked last: it ends before anything is handed out
        quiet = now - self._arrived > QUIET and self._still()
        if now - self._first > LONGEST or (all_here and (sure or quiet)):
            return many
        return many - many % self.jobs.endpoint.most_requests

    def _cut(self, many: int) -> None:
        """Make jobs of the first requests at hand, each within the endpoint's limits."""
        endpoint = self.jobs.endpoint
        taken = [self._pending.pop(key) for key in list(self._pending)[:many]]
        self._first = time.monotonic()
        while taken:
            size, many = 0, 0
            for asked, _ in taken[: endpoint.most_requests]:
                size += len(endpoint.line("-" * 27, asked)) + 1
                if many and size > endpoint.most_bytes:
                    break
                many += 1
            mine, taken = taken[:many], taken[many:]
            batch = self.jobs.store.plan(self._engine, [asked for asked, _ in mine])
            self._batches[batch.mark] = batch
            self._left[batch.mark] = {asked.job.key for asked, _ in mine}
            for asked, waiting in mine:
                self._where[asked.job.key] = batch.mark
                self._waiting[asked.job.key] = waiting

    async def _send(self, batch: Batch) -> None:
        async with self._sending:
            try:
                sent = self._batches[batch.mark] = await self.jobs.send(batch)
            except PairwrightError:
                del self._batches[batch.mark]
                raise
        held = "1 request" if sent.requests == 1 else f"{sent.requests:,} requests"
        self.jobs.news.append(f"batch job {sent.id} at {self.jobs.shown}: {held}")
        self._look_at, self._pause = 0.0, FIRST_LOOK

    async def _look(self, *, given_up: bool = False) -> None:
        """Look at every job that is not over, and take in those that are by now."""
        for batch in [batch for batch in self.out if batch.id]:
            seen = await self.jobs.look(batch, given_up=given_up)
            before = self._seen.get(batch.mark)
            if before is None or before.status != seen.status:
                self._pause = FIRST_LOOK
            self._seen[batch.mark] = seen
            if seen.full and not given_up:
                said = f"{self.jobs.shown}: its queue is full; a job of {batch.requests:,} requests waits"
                self.jobs.news.append(said)
                self._not_before[batch.mark] = time.monotonic() + ROOM_AFTER
                self._seen[batch.mark] = Seen(over=False, status="waiting for room")
                self._batches[batch.mark] = self.jobs.store.note(batch, id="", asked=0.0)
            elif seen.refusal and not given_up:
                self._drop(batch.mark)
                raise self.jobs.refused(seen.refusal)
            elif seen.over:
                over = self._batches[batch.mark] = await self.jobs.fetch(batch, seen.status)
                self._hand_out(over)
        self._pause = min(1.5 * self._pause, LAST_LOOK)
        self._look_at = time.monotonic() + self._pause

    def _hand_out(self, batch: Batch) -> None:
        for answer in self.jobs.store.answers(batch):
            if self._where.get(answer.key) != batch.mark:
                continue
            waiting = self._waiting.get(answer.key)
            if waiting is None:
                self._ready[answer.key] = answer
            elif not waiting.done():
                waiting.set_result(answer)

    def _drop(self, mark: str) -> None:
        """Forget a job of which nothing is wanted any more."""
        self.jobs.store.forget(self._batches.pop(mark))
        self._left.pop(mark, None)
