"""The engine `canned:`: replies from a file, for dry runs and for tests of everything above an engine."""

import hashlib
import heapq
import itertools
import time
from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, ValidationError, model_validator

from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.constraint import broken_constraint
from pairwright.engines.options import EngineOptions
from pairwright.errors import UsageError
from pairwright.records import Completion, Finished, FinishReason, Job, Record, Request


class Reply(Record):
    """One line of the file."""

    text: str = ""
    match: str | None = Field(default=None, min_length=1)
    """Text that some message of the conversation must hold for this reply to be given."""
    top_logprobs: tuple[dict[str, float], ...] = Field(
        default=(), validation_alias=AliasChoices("top_logprobs", "logprobs")
    )
    delay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Seconds until the reply is there."""
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    failure: str | None = Field(default=None, min_length=1)
    """When given, the request fails for this reason."""

    @model_validator(mode="after")
    def _says_something(self) -> "Reply":
        if self.failure is None and "text" not in self.model_fields_set:
            raise ValueError("a reply needs `text` or `failure`")
        for position in self.top_logprobs:
            if not position or not all(-1e30 < value <= 0 for value in position.values()):
                raise ValueError("`top_logprobs` holds finite numbers of at most 0")
        return self

    def completion(self) -> Completion:
        """Return the reply as an engine gives it."""
        if self.failure is not None:
            return Completion(failure=self.failure, model="canned")
        return Completion(
            text=self.text,
            finish_reason=self.finish_reason,
            top_logprobs=self.top_logprobs,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            model="canned",
        )


class CannedKind(EngineKind):
    """Replies from a file."""

    help: ClassVar = "canned:FILE (replies from a JSONL file)"
    holds_schemas: ClassVar = True

    def check(self, name: str) -> None:
        """Raise `UsageError` when there is no such file."""
        if not Path(name).is_file():
            raise UsageError(f"canned:{name}: no such file: {name}")

    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        """Read the replies."""
        return CannedEngine(Path(name), options, spec)

    def identity(self, name: str, options: EngineOptions) -> str:
        """Return a hash of the file's content, wherever it lies."""
        return canned_identity(Path(name))

    def reports_logprobs(self, name: str) -> bool:
        """Return whether some reply has any."""
        return any(reply.top_logprobs for reply in read_replies(Path(name)))


class CannedEngine:
    """Answers from a JSONL file of replies; nothing is computed.

    The first line whose `match` occurs in a message of the conversation answers. Where none does,
    the job's seed draws one of the lines without `match`, so the answer never depends on order.
    """

    def __init__(self, path: Path, options: EngineOptions, spec: str) -> None:
        self.spec = spec
        self.identity = canned_identity(path)
        self.capacity = 1024
        replies = [(reply, reply.completion()) for reply in read_replies(path)]
        self._matching = [(r.match, r, c) for r, c in replies if r.match is not None]
        self._drawn = [(r, c) for r, c in replies if r.match is None]
        self._ready: list[Finished] = []
        self._due: list[tuple[float, int, Finished]] = []
        self._order = itertools.count()

    def submit(self, job: Job) -> None:
        """Take a job. Returns at once."""
        reply, completion = self._find(job)
        request = job.request
        if request.choices or request.json_schema or request.sampling.logprobs:
            completion = _checked(completion, request)
        finished = Finished(job.key, completion)
        if reply is None or not reply.delay:
            self._ready.append(finished)
        else:
            due = time.monotonic() + reply.delay
            heapq.heappush(self._due, (due, next(self._order), finished))

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Wait for at least one completion and return all there are; none if none is in hand."""
        if not self._ready and self._due:
            wait = max(0.0, self._due[0][0] - time.monotonic())
            time.sleep(wait if timeout is None else min(wait, timeout))
        while self._due and self._due[0][0] <= time.monotonic():
            self._ready.append(heapq.heappop(self._due)[2])
        found, self._ready = self._ready, []
        return found

    def drain(self) -> list[Finished]:
        """Wait for everything in hand: all of it has begun."""
        found = self.poll()
        while self._due:
            found += self.poll()
        return found

    def close(self) -> None:
        """Give up what is in hand."""
        self._ready.clear()
        self._due.clear()

    def _find(self, job: Job) -> tuple[Reply | None, Completion]:
        if self._matching:
            texts = [message.content for message in job.request.messages]
            for match, reply, completion in self._matching:
                if any(match in text for text in texts):
                    return reply, completion
        if self._drawn:
            return self._drawn[job.seed % len(self._drawn)]
        return None, Completion(failure="no canned reply matches", model="canned")


def canned_identity(path: Path) -> str:
    """Return the identity of a file of replies: a hash of its content, wherever it lies."""
    return f"canned:{hashlib.sha256(_bytes(path)).hexdigest()[:16]}"


def read_replies(path: Path) -> list[Reply]:
    """Return the replies in a file. Raises `UsageError`, naming line and field."""
    replies = []
    for number, line in enumerate(_bytes(path).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            replies.append(Reply.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            place = f"{path}, line {number}" + (f", field {where}" if where else "")
            raise UsageError(f"{place}: {first['msg']}") from None
    if not replies:
        raise UsageError(f'{path} holds no replies; write lines such as {{"text": "Yes."}}')
    return replies


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _checked(completion: Completion, request: Request) -> Completion:
    """The completion, or why it is not what an engine that constrains would have given."""
    if completion.failure is not None:
        return completion
    broken = None
    if request.sampling.logprobs and completion.text and not completion.top_logprobs:
        broken = "it has no `top_logprobs`"
    if completion.finish_reason == "stop":
        broken = broken or broken_constraint(completion.text, request)
    if broken is None:
        return completion
    return Completion(failure=f"the canned reply cannot be given: {broken}", model="canned")
