"""Functions and checks as an engine: asked about an answer, it replies with what the function returns."""

import os
from functools import partial

from pairwright.engines.options import EngineOptions
from pairwright.engines.verifiers.calling import Item, Kind, Result
from pairwright.engines.verifiers.lookup import look_up
from pairwright.engines.verifiers.pool import FunctionPool
from pairwright.engines.verifiers.process import FunctionProcess
from pairwright.engines.verifiers.worker import Work
from pairwright.records import Completion, Finished, Job, transcript

SCORE_SCHEMA = {"type": "object", "required": ["score", "feedback"]}
"""The schema of a request for a score: the completion is JSON with `score` (or null) and `feedback`."""
REVISION_SCHEMA = {"type": ["string", "null"]}
"""The schema of a request for a revision: the completion is JSON, a text or null."""

BATCH = 32
"""Most answers that a function which takes several is given at once."""
_MOST_PROCESSES = 8


class FunctionEngine:
    """A function of the user's, or a check, in processes of its own.

    The last message of a request is the answer that it is asked about, the others are the prompt, and
    the request's `columns` are the rest of the row.
    """

    def __init__(self, spec: str, options: EngineOptions) -> None:
        self.spec = spec
        self._options = options
        self.identity = self.identify(spec, options)
        self._processes = options.function_processes or min(os.cpu_count() or 1, _MOST_PROCESSES)
        self.capacity = 4 * BATCH * self._processes
        self._pools: dict[Kind, FunctionPool] = {}

    @staticmethod
    def identify(spec: str, options: EngineOptions) -> str:
        """Return the identity of a spec's function, in which the hash of its source is."""
        return look_up(spec, allow_code=options.allow_code).identity

    def submit(self, job: Job) -> None:
        """Take a job. Returns at once."""
        request = job.request
        kind: Kind = "text"
        if request.json_schema is not None:
            kind = "revision" if request.json_schema == REVISION_SCHEMA else "score"
        if kind not in self._pools:
            self._pools[kind] = self._pool(kind)
        *prompt, answer = request.messages
        if kind == "text":
            prompt = list(request.messages)
        messages = [{"role": m.role, "content": m.content} for m in prompt]
        item = Item(transcript(prompt), messages, answer.content, dict(request.columns or {}))
        self._pools[kind].submit(job.key, item)

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Wait for at least one completion and return all there are; none if none is in hand."""
        return [self._finished(key, r) for pool in self._pools.values() for key, r in pool.poll(timeout)]

    def drain(self) -> list[Finished]:
        """Wait for the calls that have begun; begin no more."""
        return [self._finished(key, r) for pool in self._pools.values() for key, r in pool.drain()]

    def close(self) -> None:
        """End the processes."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, kind: Kind) -> FunctionPool:
        found = look_up(self.spec, kind, allow_code=self._options.allow_code)
        work = Work(found.make, kind, self._options.function_timeout)
        in_order = not (found.form.batched or found.form.awaited)
        make = partial(FunctionProcess, work, found.file, in_order=in_order)
        return FunctionPool(make, self._processes, BATCH)

    def _finished(self, key: str, result: Result) -> Finished:
        if result.value is None:
            failure = f"{self.spec}: {result.failure}"
            return Finished(key, Completion(failure=failure, model=self.identity))
        return Finished(key, Completion(text=result.value, model=self.identity))
