"""Questions of our own to a server: whether it enforces a constraint, and whom a refusal is about."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, TypeAlias, TypeVar

from pairwright.engines.openai.access import Place
from pairwright.engines.openai.faults import BREAKING, INVALID, UNANSWERED, not_held
from pairwright.engines.openai.first_requests import FirstRequests, form_of
from pairwright.engines.openai.request_format import RequestFormat, Useless
from pairwright.engines.openai.retry import Fault
from pairwright.engines.probe import (
    PROBE,
    Kind,
    constraint_kind,
    constraint_probe,
    ignored,
    ignores,
)
from pairwright.records import Completion, Finished, Job, conversation

T = TypeVar("T")
Ask: TypeAlias = Callable[[Job], Awaitable[Completion | Fault]]

_OVERFLOW = "context_overflow"
_EVERY = "refuses every request, of one word too"
_LONGER = "choose a smaller --max_tokens, or serve the model with a longer context"
_SETTINGS = "change what is sent; pairwright doctor ENGINE shows what it takes"
_SERVER = "its own log says why; pairwright doctor ENGINE asks it for the least"


class OwnQuestions:
    """Asks a server each question once. To be used on one event loop."""

    def __init__(self, ask: Ask, written: RequestFormat, first: FirstRequests, place: Place) -> None:
        self._ask = ask
        self._told = place.told
        self._format = written
        self._first = first
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}
        self.answers: deque[Finished] = deque()
        """Answers that nobody has put into a journal yet."""

    async def holds(self, kind: Kind) -> Useless | None:
        """Return why no request with such a constraint makes sense, or None; found out before the first.

        A model may obey by accident, and then those answers alone would be kept that it happens to
        give in the form asked for. Where the probe finds nothing out, every answer is still checked.
        """
        return await self._once(kind, lambda: self._find_way(kind))

    async def refuses_all(self, job: Job, refusal: Fault) -> Useless | None:
        """Return why a job is refused as every request of its form is; None if it is the row's fault.

        Where none of them was ever answered, the same is asked with a message of one word. Answers that
        cannot be read are refusals too, and so are faults of the server in place of every answer.
        """
        if not _refused(refusal) or (refusal.code == INVALID and constraint_kind(job.request)):
            return None
        control = _control(job)
        body = self._format.body(control)
        if self._first.have_answered(self._format.body(job)) or self._first.have_answered(body):
            return None
        found = await self._once(form_of(body), lambda: self._put(control))
        if not (isinstance(found, Fault) and _refused(found)):
            return None
        advice = {_OVERFLOW: _LONGER}.get(found.code, _SERVER if found.code in BREAKING else _SETTINGS)
        settings = self._told(_settings(self._format.dialect.spoken(body)))
        what = "answers no request, of one word neither" if found.action == "retry" else _EVERY
        return Useless(f"{what}: {advice} ({found}; beside the message: {settings})")

    async def _once(self, what: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """What a question comes to, which is asked when it first matters."""
        if what not in self._under_way:
            self._under_way[what] = asyncio.ensure_future(ask())
        return await asyncio.shield(self._under_way[what])

    async def _find_way(self, kind: Kind) -> Useless | None:
        """Try the ways that the server may have for a constraint, until one holds an answer to it."""
        reasons: list[str] = []
        for way in self._format.candidates(kind):
            self._format.ways[kind] = way
            outcome = await self._put(constraint_probe(kind), way)
            why = ignored(kind, outcome) if isinstance(outcome, Completion) else not_held(kind, outcome)
            if why is None:
                return None
            reasons.append(why)
        reasons.append(ignores(kind, "it has no way to hold an answer to a form"))
        said = next((why for why in reasons if why.startswith("ignores")), reasons[0])
        return self._format.no_way(kind, said)

    async def _put(self, job: Job, way: str | None = None) -> Completion | Fault:
        """Ask, and keep the answer, which is paid for like those to rows."""
        outcome = await self._ask(job)
        if isinstance(outcome, Completion):
            self.answers.append(Finished(f"{job.key} {way}" if way else job.key, outcome))
        return outcome


def _refused(fault: Fault) -> bool:
    """Whether a server has refused a request, or has no answer to it, and nothing says why."""
    failed = fault.action == "fail" and (fault.code == _OVERFLOW or fault.code.startswith("http_4"))
    return failed or fault.code in UNANSWERED


def _control(job: Job) -> Job:
    """The same request without anything of the row."""
    asked = job.request.model_copy(
        update={"role": PROBE, "messages": conversation("Hello"), "template": "", "sample_index": 0}
    )
    return Job(key=asked.key("probe"), request=asked)


def _settings(sent: Mapping[str, Any]) -> str:
    """The fields of a request for people, without its messages."""
    return ", ".join(
        f"{name}={json.dumps(value)}" if isinstance(value, str | int | float) else name
        for name, value in sent.items()
        if name != "messages"
    )
