"""Any OpenAI-compatible server as an engine: vLLM, SGLang, llama.cpp, hosted ones."""

import asyncio
import contextlib
import queue
import threading
import time
from typing import Any

from pairwright.engines.addresses import normalised, present_url
from pairwright.engines.openai.access import server_access
from pairwright.engines.openai.client import OpenAIClient
from pairwright.engines.openai.faults import printable
from pairwright.engines.openai.retry import Backoff
from pairwright.engines.options import EngineOptions
from pairwright.errors import PairwrightError
from pairwright.records import Completion, Finished, Job

_CLOSE_SECONDS = 5.0


class OpenAIEngine:
    """Sends jobs to a server from an event loop in a thread of its own.

    The key comes from the environment (`PAIRWRIGHT_API_KEY`, else `OPENAI_API_KEY`) and from
    nowhere else. Opening it waits up to `patience` seconds for somebody to answer at the URL.
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
        self.spec = spec if there == access.shown else f"openai:{model}@{access.shown}"
        self.identity = f"openai:{model}@{normalised(url)}{options.asked.mark}"
        self.capacity = 2 * options.max_concurrency
        self._client = OpenAIClient(model, access, options, backoff or Backoff())
        self._done: queue.SimpleQueue[Finished | PairwrightError] = queue.SimpleQueue()
        self._in_hand = 0
        self._error: PairwrightError | None = None
        self._stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=self.identity, daemon=True)
        self._thread.start()
        self._check(patience)

    @property
    def dialect(self) -> dict[str, Any]:
        """How the server is asked, as far as it is known by now."""
        return self._client.manner.dialect_found

    def submit(self, job: Job) -> None:
        """Take a job. Returns at once."""
        self._in_hand += 1
        self._loop.call_soon_threadsafe(self._begin, job)

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Wait for at least one completion and return all there are; none if none is in hand.

        Raises `PairwrightError` once the server is of no use, after all that was finished before.
        """
        found: list[Finished] = []
        ends = None if timeout is None else time.monotonic() + timeout
        with contextlib.suppress(queue.Empty):
            while self._error is None and len(found) < self._in_hand:
                found.append(self._next(ends, wait=not found))
        self._in_hand -= len(found)
        if self._error is not None and not found:
            raise self._error
        return found

    def drain(self) -> list[Finished]:
        """Send nothing more, wait for the requests that are open, and return all completions."""
        asyncio.run_coroutine_threadsafe(self._drain(), self._loop).result()
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

    def _check(self, patience: float) -> None:
        checked = asyncio.run_coroutine_threadsafe(self._client.check(patience), self._loop)
        try:
            if root := checked.result():
                self.identity = f"{self.identity}#{root}"
        except BaseException:
            self.close()
            raise

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

    async def _run(self, job: Job) -> None:
        """Answer one job, whatever happens; only a useless server ends the others too."""
        try:
            completion = await self._client.answer(job)
        except PairwrightError as error:
            self._stop(error)
            return
        except Exception as error:  # a job never takes its neighbours with it
            what = printable(self._client.access.redact(f"{type(error).__name__}: {error}"))
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
