"""One job's way to an OpenAI-compatible server and back, through every fault on it."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

import httpx

from pairwright.engines.openai.access import Access
from pairwright.engines.openai.allowance import Allowance
from pairwright.engines.openai.body import Invalid, body_limit, model_root, parse_body, read_at_most
from pairwright.engines.openai.concurrency import AdaptiveLimit
from pairwright.engines.openai.dialect import named_field
from pairwright.engines.openai.faults import (
    INVALID,
    UNREACHABLE,
    connection_fault,
    cool_down,
    invalid,
    not_held,
    printable,
    status_fault,
    timed_out,
)
from pairwright.engines.openai.manner import Manner, Useless
from pairwright.engines.openai.retry import Attempts, Backoff, Fault
from pairwright.engines.openai.scouts import Scouts
from pairwright.engines.options import EngineOptions
from pairwright.engines.probe import PROBE, Kind, constraint_kind, constraint_probe, ignored, ignores
from pairwright.errors import PairwrightError
from pairwright.records import Completion, Job, Request

log = logging.getLogger(__name__)

MOST_IN_A_ROW = 20
"""Requests that may begin and fail for reasons of the server, with no answer to any since."""
OUTAGE = 30.0
"""Seconds of silence after which a server that cannot be connected to counts as gone."""
ERROR_BODY = 65536
"""Bytes that are read of a reply that says what is wrong."""

_ABOUT_FIELDS = (400, 403, 422)
_CONNECT_SECONDS = 10.0
_MODELS_BYTES = 2**20
"""Most of a list of models that is read."""
_AGAIN = "finished work is kept; run the same command again"


class Refusal(NamedTuple):
    """A reply that may say how the request has to be said instead."""

    fault: Fault
    body: bytes


class OpenAIClient:
    """Asks one server. Everything that its requests share is here: limit, cool-down, health.

    To be used on one event loop, whose clock is `time.monotonic`.
    """

    def __init__(self, model: str, access: Access, options: EngineOptions, backoff: Backoff):
        self.access = access
        self.limit = AdaptiveLimit(options.max_concurrency, time.monotonic)
        self._model = model
        self._deadline = options.deadline
        self._backoff = backoff
        self._draining = False
        self._proofs: dict[Kind, asyncio.Task[None]] = {}
        self._open: set[asyncio.Task[None] | None] = set()
        self._last_reply = time.monotonic()
        self._last_answer = float("-inf")
        self._failed_in_a_row = 0
        self._scouts = Scouts()
        self.manner = Manner(model, access, options.asked)
        self._allowance = Allowance()
        self._gives_logprobs = False
        self._http = httpx.AsyncClient(
            headers={
                **access.headers,
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            # Hosted servers may lie behind a company's proxy; one on this machine never does.
            trust_env=not access.loopback,
        )

    async def check(self, patience: float) -> str:
        """What the server says to hold under the model's name, if it says so: vLLM's `root`.

        Raises `PairwrightError` if nobody answers at the address. Any reply is an answer.
        """
        ends, pause = time.monotonic() + patience, 0.1
        while True:
            try:
                timeout = httpx.Timeout(patience)
                async with self._http.stream("GET", self.access.models, timeout=timeout) as reply:
                    listed = await read_at_most(reply, _MODELS_BYTES)
                    self.manner.meet(listed, reply.headers.get("server", ""))
                    return model_root(listed, self._model)
            except httpx.ReadTimeout:
                return ""  # connected: it is there, only slow
            except httpx.TransportError as error:
                why = printable(self.access.redact(str(error)))
            if time.monotonic() + pause > ends:
                raise PairwrightError(
                    f"no server answers at {self.access.shown} ({why}): start it or correct the URL"
                )
            await asyncio.sleep(pause)
            pause *= 2

    async def answer(self, job: Job) -> Completion:
        """The completion of a job, after as many attempts as faults and deadline allow.

        Raises `PairwrightError` when the server is of no use to any job, or ignores what this one
        relies on.
        """
        if kind := constraint_kind(job.request):
            await self._prove(kind)
        attempts = Attempts(self._deadline, self._backoff)
        outcome = await self._insist(job, attempts)
        return outcome if isinstance(outcome, Completion) else self._give_up(outcome, attempts)

    async def _prove(self, kind: Kind) -> None:
        """Ask once, before the first request with such a constraint, whether it is enforced here.

        A model may obey by accident, and then those answers alone would be kept that it happens to
        give in the form asked for. Where the probe finds nothing out, every answer is still checked.
        """
        if kind not in self._proofs:
            self._proofs[kind] = asyncio.create_task(self._probe(kind))
        await asyncio.shield(self._proofs[kind])

    async def _probe(self, kind: Kind) -> None:
        """Try the ways that the server may have for a constraint, until one holds an answer to it."""
        reasons: list[str] = []
        for way in self.manner.candidates(kind):
            self.manner.ways[kind] = way
            outcome = await self._insist(constraint_probe(kind), Attempts(self._deadline, self._backoff))
            why = ignored(kind, outcome) if isinstance(outcome, Completion) else not_held(kind, outcome)
            if why is None:
                return
            reasons.append(why)
        reasons.append(ignores(kind, "it has no way to hold an answer to a form"))
        said = next((why for why in reasons if why.startswith("ignores")), reasons[0])
        if useless := self.manner.no_way(kind, said):
            self._stop(useless.why)

    async def _insist(self, job: Job, attempts: Attempts) -> Completion | Fault:
        """Ask until there is a completion or no further attempt makes sense."""
        if (useless := self.manner.cannot_show(job.request)) is not None:
            self._stop(useless.why)
        async with self._scouts.turn(self.manner.body(job)) as heard:
            while True:
                outcome = await self._attempt(job, attempts)
                heard(outcome)
                if isinstance(outcome, Completion):
                    self._last_answer, self._failed_in_a_row = time.monotonic(), 0
                    return outcome
                told = job.request.role == PROBE and outcome.code in (INVALID, "http_500")
                enough = told and not outcome.overload
                wait = None if enough else attempts.wait_after(outcome, time.monotonic())
                if wait is None:
                    return outcome
                if self._draining:
                    raise asyncio.CancelledError  # given up, like those that had no request open
                await asyncio.sleep(wait)

    def drain(self, tasks: set[asyncio.Task[None]]) -> None:
        """Send nothing more: those of `tasks` that have no request open are given up."""
        self._draining = True
        for task in tasks - self._open:
            task.cancel()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _attempt(self, job: Job, attempts: Attempts) -> Completion | Fault:
        """Wait for a turn and the end of a cool-down, then ask once; all within the deadline."""
        again = attempts.last is not None
        try:
            async with self.limit.slot(again=again, until=attempts.ends):
                attempts.start(time.monotonic())
                fault = await self._cool_down(job.request, attempts)
                return fault or await self._ask(job, attempts)
        except TimeoutError:
            return attempts.last or timed_out(self._deadline)

    async def _cool_down(self, request: Request, attempts: Attempts) -> Fault | None:
        """Wait until the server wants such a request again; a fault if that is after the deadline."""
        while (wait := max(self.limit.cool_left, self._allowance.wait(request, time.monotonic()))) > 0:
            left = attempts.left(time.monotonic())
            if wait >= left:
                return attempts.last or cool_down(wait)
            await asyncio.sleep(min(wait + self._backoff.nudge(), left))
        return None

    async def _ask(self, job: Job, attempts: Attempts) -> Completion | Fault:
        """Send the request and learn from what comes back."""
        attempts.sent += 1
        sent_at = time.monotonic()
        self._open.add(asyncio.current_task())
        self._allowance.begin(job.request)
        try:
            async with asyncio.timeout_at(attempts.ends):
                outcome = await self._exchange(job)
        except TimeoutError:
            outcome = timed_out(self._deadline, attempts.last)
        finally:
            self._open.discard(asyncio.current_task())
            self._allowance.end(job.request)
        if isinstance(outcome, Completion):
            self.limit.succeeded()
            return outcome
        if outcome.overload:
            self.limit.overloaded(sent_at)
        if outcome.wait is not None:
            self.limit.cool(outcome.wait)
        return replace(outcome, text=printable(self.access.redact(outcome.text)))

    async def _exchange(self, job: Job) -> Completion | Fault:
        """Send a request; once more for each thing that a reply teaches of how it has to be said."""
        while True:
            dialect, quiet = self.manner.dialect, self.manner.quiet
            sent = dialect.spoken(self.manner.body(job))
            outcome = await self._send(sent, self.manner.sent(job.request))
            if isinstance(outcome, Fault):
                return outcome
            if isinstance(outcome, Completion):
                will_do = self.manner.heard(job.request, outcome, quiet=quiet)
                if isinstance(will_do, Useless):
                    self._stop(will_do.why)
                if will_do:
                    return outcome
                continue
            if not self.manner.learn(dialect, sent, outcome.body):
                if job.request.role != PROBE:
                    self._give_up_field(job, sent, outcome)
                return outcome.fault

    def _give_up_field(self, job: Job, sent: Mapping[str, Any], refusal: Refusal) -> None:
        """Stop where a request is refused for what no request can do without."""
        name = named_field(sent, refusal.body)
        if name is not None:
            answered = self._scouts.have_answered(self.manner.body(job))
            useless = self.manner.refused(name, ever_answered=answered)
            if useless is not None:
                why = printable(self.access.redact(str(refusal.fault)))
                self._stop(f"{useless.why} ({why})")

    async def _send(self, said: Mapping[str, Any], request: Request) -> Completion | Fault | Refusal:
        try:
            payload = json.dumps(said).encode()
            async with self._http.stream("POST", self.access.chat, content=payload) as reply:
                self._last_reply = time.monotonic()
                self._allowance.note(reply.headers, request, self._last_reply, time.time())
                if not reply.is_success:
                    body = await read_at_most(reply, ERROR_BODY)
                    known = self.manner.known
                    fault = status_fault(reply.status_code, reply.headers, body, time.time(), known)
                    return Refusal(fault, body) if reply.status_code in _ABOUT_FIELDS else fault
                if reply.headers.get("content-encoding", "identity") != "identity":
                    return invalid("the body is compressed, which was not asked for")
                most = body_limit(request)
                body = await read_at_most(reply, most + 1)
        except httpx.HTTPError as error:
            return connection_fault(error)
        if len(body) > most:
            return invalid(f"the body is larger than {most} bytes")
        answer = parse_body(body, request, logprobs=self._gives_logprobs)
        if isinstance(answer, Invalid):
            return invalid(answer.reason)
        self._gives_logprobs |= bool(answer.top_logprobs)
        return answer

    def _give_up(self, fault: Fault, attempts: Attempts) -> Completion:
        """The failure of one request, unless the fault is everybody's."""
        if fault.action == "stop" or (fault.action == "stop_unproven" and not self._scouts.answers):
            self._stop(fault.text)
        silence = time.monotonic() - self._last_reply
        if fault.code == UNREACHABLE and silence >= min(OUTAGE, self._deadline / 2):
            self._stop(f"stopped answering; {_AGAIN} when it is back")
        verdict = attempts.verdict(fault)
        if not fault.server_wide:
            self._failed_in_a_row = 0
        elif attempts.began is not None and attempts.began >= self._last_answer:
            self._failed_in_a_row += 1
        if self._failed_in_a_row >= MOST_IN_A_ROW:
            self._stop(f"failed {MOST_IN_A_ROW} requests in a row, the last with {verdict}; {_AGAIN}")
        return Completion(failure=verdict)

    def _stop(self, what: str) -> NoReturn:
        raise PairwrightError(f"the server at {self.access.shown} {what}")
