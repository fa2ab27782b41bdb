"""Any OpenAI-compatible server as an engine: vLLM, SGLang, llama.cpp, hosted ones."""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from pairwright.engines.addresses import normalised, present_url
from pairwright.engines.openai.access import Access, Place, server_access
from pairwright.engines.openai.batch.anthropic import AnthropicBatches
from pairwright.engines.openai.batch.endpoint import Endpoint, NoEndpointError, TroubleError
from pairwright.engines.openai.batch.gemini import GeminiBatches
from pairwright.engines.openai.batch.jobs import BatchJobs
from pairwright.engines.openai.batch.openai import OpenAIBatches
from pairwright.engines.openai.batch.queue import BatchQueue
from pairwright.engines.openai.batch.store import BatchStore
from pairwright.engines.openai.client import OpenAIClient
from pairwright.engines.openai.families import family_at
from pairwright.engines.openai.rate_limits import RateLimits
from pairwright.engines.openai.retry import Backoff
from pairwright.engines.openai.transport import HTTPTransport
from pairwright.engines.options import EngineOptions
from pairwright.errors import PairwrightError
from pairwright.records import Completion, Finished, Job, content_hash
from pairwright.terminal.text import say

T = TypeVar("T")

UNDER_WAY = 50_000
"""Requests in hand at once where they wait for batch jobs."""
_CLOSE_SECONDS = 5.0
_POLL_SECONDS = 0.5
"""Longest wait for an answer of a batch job, so that whoever waits can be stopped."""
_STILL = 3
"""Waits without news after which whoever asks has no further request at hand, however slow the machine."""
_ENDPOINTS: tuple[type[Endpoint], ...] = (OpenAIBatches, AnthropicBatches, GeminiBatches)


class ServedEngine:
    """Sends jobs to a server from an event loop in a thread of its own.

    Opening it waits up to `patience` seconds for somebody to answer.
    """

    def __init__(
        self,
        client: OpenAIClient,
        options: EngineOptions,
        *,
        spec: str,
        identity: str,
        backoff: Backoff,
        patience: float,
    ) -> None:
        self.spec = spec
        self.identity = f"{identity}{options.asked.mark}"
        self.capacity = 2 * options.max_concurrency
        self._backoff = backoff
        self._client = client
        self._endpoint: Endpoint | None = None
        self.no_batches = ""
        """Why there are no batch jobs, where they were asked for."""
        self._done: queue.SimpleQueue[Finished | PairwrightError] = queue.SimpleQueue()
        self._in_hand = 0
        self._handed_out: list[str] = []
        self._nobody_else = False
        """Whether somebody waits for answers who has nothing else to wait for."""
        self._polls_without_news = 0
        """How often answers were waited for since one came, or a request was given."""
        self._error: PairwrightError | None = None
        self._stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=self.identity, daemon=True)
        self._thread.start()
        self._check(patience, client.access if options.sends_batches else None)

    @property
    def dialect(self) -> dict[str, Any]:
        """How the server is asked, as far as it is known by now."""
        found = self._client.format.dialect_found
        return found | ({"batch jobs": self._endpoint.name} if self._endpoint is not None else {})

    def send_batches(self, run: Path) -> None:
        """Answer by batch jobs from now on, recorded in a run's folder; jobs recorded there go on."""
        if self._endpoint is None:
            return
        jobs = BatchJobs(self._endpoint, BatchStore(run), self._client.access.shown, self._backoff)
        self._client.by_batch(
            BatchQueue(
                jobs,
                self.identity.partition("#")[0],
                in_hand=lambda: self._in_hand,
                alone=lambda: self._nobody_else,
                still=lambda: self._polls_without_news >= _STILL,
            )
        )
        self.capacity = UNDER_WAY

    @property
    def waits(self) -> str:
        """The open batch jobs in a few words; empty without any."""
        return "" if self._client.queue is None else self._client.queue.waits

    def cancel_batches(self) -> list[Finished]:
        """Cancel all batch jobs, wait until they are finished, and return their answers."""
        return self._on_loop(self._client.cancel_batches())

    def forget_batches(self) -> None:
        """Forget the finished batch jobs: all their answers are kept."""
        if self._client.queue is not None:
            self._client.queue.forget()

    def besides(self) -> list[Finished]:
        """Return answers to questions that nobody submitted, such as probes; each once."""
        found, answers = [], self._client.questions.answers
        while answers:
            key, completion = answers.popleft()
            found.append(Finished(content_hash([self.identity, key]), completion))
        return found

    def submit(self, job: Job) -> None:
        """Take a job. Returns at once."""
        self._in_hand += 1
        self._polls_without_news = 0
        self._loop.call_soon_threadsafe(self._begin, job)

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Wait for at least one completion and return all there are; none if none is in hand.

        Of batch jobs none may come for hours: it returns now and then all the same.
        Raises `PairwrightError` once the server is of no use, after all that was finished before.
        """
        found: list[Finished] = []
        if self._client.queue is not None:
            timeout = self._tell_the_queue(self._client.queue, timeout)
        ends = None if timeout is None else time.monotonic() + timeout
        with contextlib.suppress(queue.Empty):
            while self._error is None and len(found) < self._in_hand:
                found.append(self._next(ends, wait=not found))
        self._nobody_else = False  # what is handed out now may lead to further requests
        self._polls_without_news = 0 if found else self._polls_without_news
        self._in_hand -= len(found)
        self._handed_out += [key for key, _ in found]
        if self._error is not None and not found:
            raise self._error
        return found

    def _tell_the_queue(self, queue: BatchQueue, timeout: float | None) -> float:
        """Say that earlier answers are kept, and, without a timeout, that no requests will come."""
        self._polls_without_news += 1
        kept, self._handed_out = self._handed_out, []
        self._loop.call_soon_threadsafe(queue.kept, kept)
        self._nobody_else = timeout is None
        while queue.jobs.news:
            say(queue.jobs.news.popleft())
        return _POLL_SECONDS if timeout is None else timeout

    def drain(self) -> list[Finished]:
        """Send nothing more, wait for the requests that are open, and return all completions."""
        self._on_loop(self._drain())
        found: list[Finished] = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._next(None, wait=False))
        self._in_hand = 0
        return found

    def close(self) -> None:
        """Give up what is in hand and close all connections."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSE_SECONDS)
        self._in_hand = 0

    def _next(self, ends: float | None, *, wait: bool) -> Finished:
        """The next completion; `queue.Empty` when there is none in time or ever again."""
        left = None if ends is None else max(0.0, ends - time.monotonic())
        item = self._done.get(wait, left)
        if isinstance(item, PairwrightError):
            self._error = item
            raise queue.Empty
        return item

    def _check(self, patience: float, batches: Place | None) -> None:
        try:
            if root := self._on_loop(self._client.check(patience)):
                self.identity = f"{self.identity}#{root}"
            if isinstance(batches, Access):
                self._on_loop(self._find_endpoint(batches))
        except BaseException:
            self.close()
            raise

    async def _find_endpoint(self, access: Access) -> None:
        """Which provider's batch jobs the server has, and whether they are there."""
        kind = next(kind for kind in _ENDPOINTS if kind.name == self._client.format.family.batch)
        endpoint = kind(access, self._client.model)
        try:
            await endpoint.check()
        except NoEndpointError as error:
            self.no_batches = str(error)
            await endpoint.close()
        except TroubleError as error:
            await endpoint.close()
            raise PairwrightError(f"the server at {access.shown} {error.fault.text}") from None
        else:
            self._endpoint = endpoint

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _serve(self) -> None:
        """The thread: run until told to stop, then leave nothing open."""
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._wind_up())
        finally:
            self._loop.close()

    async def _wind_up(self) -> None:
        everything = asyncio.all_tasks() - {asyncio.current_task()}
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)
        await self._client.close()
        if self._endpoint is not None:
            await self._endpoint.close()

    def _begin(self, job: Job) -> None:
        if self._stopped:
            return
        task = self._loop.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        self._stopped = True
        self._client.drain(self._tasks)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client.queue is not None:
            await self._client.queue.settle()

    async def _run(self, job: Job) -> None:
        """Answer one job, whatever happens; only a useless server ends the others too."""
        try:
            completion = await self._client.answer(job)
        except PairwrightError as error:
            self._stop(error)
            return
        except Exception as error:  # a job never takes its neighbours with it
            what = self._client.access.told(f"{type(error).__name__}: {error}")
            completion = Completion(failure=f"engine_error: {what}")
        self._done.put(Finished(job.key, completion))

    def _stop(self, error: PairwrightError) -> None:
        """Let no further request leave, and tell the caller why."""
        if self._stopped:
            return
        self._stopped = True
        self._done.put(error)
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()


class OpenAIEngine(ServedEngine):
    """An engine behind OpenAI's protocol.

    The key comes from the environment (`PAIRWRIGHT_API_KEY`, else `OPENAI_API_KEY`) and from
    nowhere else.
    """

    def __init__(
        self,
        model: str,
        url: str,
        options: EngineOptions,
        spec: str,
        *,
        backoff: Backoff | None = None,
        patience: float = 5.0,
    ) -> None:
        there = present_url(url, options.server_moved)
        access = server_access(there, variable=options.api_key_env, further=options.asked)
        backoff, transport = backoff or Backoff(), HTTPTransport(access, RateLimits())
        super().__init__(
            OpenAIClient(model, access, options, backoff, transport, family_at(str(access.chat))),
            options,
            spec=spec if there == access.shown else f"openai:{model}@{access.shown}",
            identity=f"openai:{model}@{normalised(url)}",
            backoff=backoff,
            patience=patience,
        )
