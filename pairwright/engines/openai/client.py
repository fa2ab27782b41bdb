"""Send one job to an OpenAI-compatible server until it is answered, retries of faults included."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, TypeAlias

import httpx

from pairwright.engines.openai.access import Place
from pairwright.engines.openai.batch.queue import BatchQueue
from pairwright.engines.openai.batch.store import Answer
from pairwright.engines.openai.concurrency import AdaptiveLimit
from pairwright.engines.openai.dialect import named_field
from pairwright.engines.openai.families import Family
from pairwright.engines.openai.faults import (
    UNANSWERED,
    UNREACHABLE,
    UNTRUSTED,
    cool_down,
    ended_with,
    nobody_there,
    timed_out,
)
from pairwright.engines.openai.first_requests import FirstRequests
from pairwright.engines.openai.listed import model_root
from pairwright.engines.openai.questions import OwnQuestions
from pairwright.engines.openai.request_format import RequestFormat, Useless
from pairwright.engines.openai.retry import Attempts, Backoff, Fault
from pairwright.engines.openai.transport import Refusal, Transport
from pairwright.engines.options import EngineOptions
from pairwright.engines.probe import PROBE, constraint_kind
from pairwright.errors import PairwrightError
from pairwright.records import Completion, Finished, Job, Request

log = logging.getLogger(__name__)

MOST_IN_A_ROW = 20
"""Requests that may begin and fail for reasons of the server, with no answer to any since."""
SAID_FROM = 20.0
"""Seconds from which on a wait that the server asks for is said."""
OUTAGE = 30.0
"""Seconds of silence after which a server that cannot be connected to counts as gone."""

Sending: TypeAlias = Callable[[Mapping[str, Any], Request], Awaitable[Completion | Fault | Refusal]]
"""How a request goes out and what comes back."""

_AGAIN = "finished work is kept; run the same command again"


class OpenAIClient:
    """Asks one server. All its requests share a limit, a cool-down and a state of health.

    To be used on one event loop, whose clock is `time.monotonic`.
    """

    def __init__(
        self,
        model: str,
        access: Place,
        options: EngineOptions,
        backoff: Backoff,
        transport: Transport,
        family: Family,
    ):
        self.access = access
        self.limit = AdaptiveLimit(options.max_concurrency, time.monotonic)
        self.model = model
        self._deadline = options.deadline
        self._backoff = backoff
        self._draining = False
        self._open: set[asyncio.Task[None] | None] = set()
        self._last_answer = float("-inf")
        self._failed_in_a_row = 0
        self._said_until = float("-inf")
        self._first_requests = FirstRequests()
        self.format = RequestFormat(model, access, options.asked, family)
        self.questions = OwnQuestions(self._put, self.format, self._first_requests, access)
        self._transport = transport
        self.queue: BatchQueue | None = None
        """Where requests go that may wait."""

    async def check(self, patience: float) -> str:
        """Return the model behind the name, if the server tells it, as vLLM does in `root`.

        Raises `PairwrightError` if nobody answers at the address. Any reply is an answer.
        """
        ends, pause = time.monotonic() + patience, 0.1
        while True:
            try:
                listed, server = await self._transport.listed(patience)
                self.format.meet(listed, server)
                self._transport.known = self.format.known
                return model_root(listed, self.model)
            except httpx.ReadTimeout:
                return ""  # connected: it is there, only slow
            except httpx.TransportError as error:
                why = self.access.told(str(error))
            if UNTRUSTED in why or time.monotonic() + pause > ends:
                raise PairwrightError(nobody_there(self.access.shown, why, self.access.proxy))
            await asyncio.sleep(pause)
            pause *= 2

    async def answer(self, job: Job) -> Completion:
        """Return the completion of a job, after as many attempts as faults and deadline allow.

        Raises `PairwrightError` when the server is of no use to any job, or ignores what this one
        relies on.
        """
        known = self.queue is not None and self.queue.knows(job.key)
        if not known and (kind := constraint_kind(job.request)):
            self._stop_if(await self.questions.holds(kind))
        attempts = Attempts(self._deadline, self._backoff)
        outcome = await self._ask_until_answered(job, attempts)
        return outcome if isinstance(outcome, Completion) else self._give_up(outcome, attempts)

    async def _put(self, question: Job) -> Completion | Fault:
        """Ask a question of our own."""
        return await self._ask_until_answered(question, Attempts(self._deadline, self._backoff))

    async def _ask_until_answered(self, job: Job, attempts: Attempts) -> Completion | Fault:
        """Ask, again after a 429 or another fault that passes, until no further attempt makes sense."""
        self._stop_if(self.format.cannot_show(job.request))
        own, body = job.request.role == PROBE, self.format.body(job)
        alone = not own and self._queue_for(job) is None
        async with self._first_requests.turn(body, alone=alone, rows=not own) as note:
            while True:
                outcome = await self._attempt(job, attempts)
                note(outcome)
                if isinstance(outcome, Completion):
                    self._last_answer, self._failed_in_a_row = time.monotonic(), 0
                    return attempts.charged(outcome, self.model)
                told = own and outcome.code in UNANSWERED
                again = not told or outcome.overload
                wait = attempts.wait_after(outcome, time.monotonic()) if again else None
                if wait is None:
                    self._stop_if(None if own else await self.questions.refuses_all(job, outcome))
                    return outcome
                if self._draining:
                    raise asyncio.CancelledError  # given up, like those that had no request open
                await asyncio.sleep(wait)

    def by_batch(self, queue: BatchQueue) -> None:
        """Send requests in batch jobs from now on, except the first of every form."""
        self.queue = queue
        self._first_requests.held = self._deadline

    async def cancel_batches(self) -> list[Finished]:
        """Cancel all batch jobs, and return their answers."""
        found = []
        for asked, answer in await self.queue.cancel() if self.queue is not None else ():
            outcome = self._read(answer, asked.job.request)
            if isinstance(outcome, Completion):
                found.append(Finished(asked.job.key, outcome))
        return found

    def drain(self, tasks: set[asyncio.Task[None]]) -> None:
        """Send nothing more: those of `tasks` that have no request open are given up."""
        self._draining = True
        for task in tasks - self._open:
            task.cancel()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def _attempt(self, job: Job, attempts: Attempts) -> Completion | Fault:
        """Wait for a turn and the end of a cool-down, then ask once; all within the deadline."""
        if (queue := self._queue_for(job)) is not None:
            return await self._exchange(job, attempts, partial(self._by_queue, queue, job))
        again = attempts.last is not None
        try:
            async with self.limit.slot(again=again, until=attempts.ends):
                attempts.start(time.monotonic())
                return await self._cool_down(job.request, attempts) or await self._ask(job, attempts)
        except TimeoutError:
            return attempts.last or timed_out(self._deadline)

    async def _cool_down(self, request: Request, attempts: Attempts) -> Fault | None:
        """Wait until the server wants such a request again; a fault if that is after the deadline."""
        limits = self._transport.rate_limits
        while (wait := max(self.limit.cool_left, limits.wait(request, time.monotonic()))) > 0:
            left = attempts.left(time.monotonic())
            if wait >= left:
                return attempts.last or cool_down(wait, self.limit.why_cool)
            self._say_wait(wait)
            await asyncio.sleep(min(wait + self._backoff.nudge(), left))
        return None

    async def _ask(self, job: Job, attempts: Attempts) -> Completion | Fault:
        """Send the request and learn from what comes back."""
        attempts.sent += 1
        sent_at = time.monotonic()
        self._open.add(asyncio.current_task())
        self._transport.rate_limits.begin(job.request)
        try:
            async with asyncio.timeout_at(attempts.ends):
                outcome = await self._exchange(job, attempts, self._transport.send)
        except TimeoutError:
            outcome = timed_out(self._deadline, attempts.last)
        finally:
            self._open.discard(asyncio.current_task())
            self._transport.rate_limits.end(job.request)
        if isinstance(outcome, Completion):
            self.limit.succeeded()
            return outcome
        if outcome.overload:
            self.limit.overloaded(sent_at)
        if outcome.wait is not None:
            self.limit.cool(outcome.wait, self.access.told(outcome.text))
            if outcome.wait < attempts.left(time.monotonic()):
                self._say_wait(outcome.wait)
        return outcome

    def _say_wait(self, seconds: float) -> None:
        """Say once that nothing is sent for a while."""
        now, why = time.monotonic(), self.limit.why_cool and f" ({self.limit.why_cool})"
        if seconds >= SAID_FROM and now > self._said_until:
            self._said_until = now + seconds
            log.warning("%s: it wants no requests for %.0f s%s; they wait", self.access.shown, seconds, why)

    async def _exchange(self, job: Job, attempts: Attempts, send: Sending) -> Completion | Fault:
        """Send a request; once more for each thing that a reply teaches of how it has to be said."""
        while True:
            dialect, quiet = self.format.dialect, self.format.quiet
            sent = dialect.spoken(self.format.body(job))
            outcome = await send(sent, self.format.sent(job.request))
            if isinstance(outcome, Fault):
                return self._redacted(outcome)
            if isinstance(outcome, Completion):
                will_do = self.format.heard(job.request, outcome, quiet=quiet)
                self._stop_if(will_do)
                if will_do:
                    return outcome if outcome.model else outcome.model_copy(update={"model": self.model})
                attempts.spend(outcome.prompt_tokens, outcome.completion_tokens)
                continue
            if not self.format.learn(dialect, sent, outcome.body):
                if job.request.role != PROBE:
                    self._give_up_field(job, sent, outcome)
                return self._redacted(outcome.fault)

    def _redacted(self, fault: Fault) -> Fault:
        return replace(fault, text=self.access.told(fault.text))

    def _give_up_field(self, job: Job, sent: Mapping[str, Any], refusal: Refusal) -> None:
        """Stop where a request is refused for what no request can do without."""
        named = named_field(sent, refusal.body)
        if named is not None:
            value = sent[named[0]] if named[1] else None
            answered = self._first_requests.have_answered(self.format.body(job))
            if useless := self.format.refused(named[0], value, ever_answered=answered):
                self._stop(f"{useless.why} ({self.access.told(str(refusal.fault))})")

    async def _by_queue(
        self, queue: BatchQueue, job: Job, said: Mapping[str, Any], request: Request
    ) -> Completion | Fault | Refusal:
        """Send a request in a batch job, and read what that brings for it as if it had come at once."""
        answer = await queue.ask(job, said)
        return answer if isinstance(answer, Fault) else self._read(answer, request)

    def _read(self, answer: Answer, request: Request) -> Completion | Fault | Refusal:
        body = json.dumps(answer.body).encode()
        if not 200 <= answer.status < 300:
            return self._transport.refused(answer.status, {}, body)
        found = self._transport.read(body, request)
        return found.model_copy(update={"batch": True}) if isinstance(found, Completion) else found

    def _queue_for(self, job: Job) -> BatchQueue | None:
        """Where a job goes that is not sent at once: all but the first of each form."""
        if self.queue is None or job.request.role == PROBE:
            return None
        sure = self.queue.knows(job.key) or self._first_requests.have_taken(self.format.body(job))
        return self.queue if sure else None

    def _give_up(self, fault: Fault, attempts: Attempts) -> Completion:
        """The failure of one request, unless the fault is everybody's."""
        if fault.action == "stop" or (fault.action == "stop_unproven" and not self._first_requests.answers):
            self._stop(fault.text + (f"; {_AGAIN}" if self._first_requests.answers else ""))
        silence = time.monotonic() - self._transport.last_reply
        if fault.code == UNREACHABLE and silence >= min(OUTAGE, self._deadline / 2):
            self._stop(f"stopped answering; {_AGAIN} when it is back")
        failure = attempts.failure_after(fault)
        if not fault.server_wide:
            self._failed_in_a_row = 0
        elif attempts.began is not None and attempts.began >= self._last_answer:
            self._failed_in_a_row += 1
        if self._failed_in_a_row >= MOST_IN_A_ROW:
            self._stop(f"failed {MOST_IN_A_ROW} requests in a row, the last with {failure}; {_AGAIN}")
        return attempts.charged(ended_with(fault, failure), self.model)

    def _stop_if(self, useless: Useless | bool | None) -> None:
        if isinstance(useless, Useless):
            self._stop(useless.why)

    def _stop(self, what: str) -> NoReturn:
        raise PairwrightError(f"the server at {self.access.shown} {what}")
