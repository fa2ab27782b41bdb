"""The records that pass between stages and engines."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """An immutable value with no room for unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _unused(value: Any) -> bool:
    """Whether a field is left out of a record's JSON: keys of records without it stay as they were."""
    return value is None or value == ()


class Function(Record):
    """What a tool call calls."""

    name: str
    arguments: str = "{}"
    """JSON text of an object."""


class ToolCall(Record):
    """A call of a tool, in the form of OpenAI's messages."""

    id: str | None = Field(default=None, exclude_if=_unused)
    type: str = "function"
    function: Function


class Beside(Record):
    """What a chat template shows beside the messages, each as JSON text."""

    tools: str | None = Field(default=None, exclude_if=_unused)
    documents: str | None = Field(default=None, exclude_if=_unused)
    chat_template_kwargs: str | None = Field(default=None, exclude_if=_unused)
    """Variables for the template."""


class Message(Record):
    """One turn of a conversation. `content` is text, never template source."""

    role: str
    content: str
    reasoning: str | None = Field(default=None, exclude_if=_unused)
    """What the assistant thought before it, which a template writes in its own form."""
    tool_calls: tuple[ToolCall, ...] = Field(default=(), exclude_if=_unused)
    """Tools that the assistant calls."""
    tool_call_id: str | None = Field(default=None, exclude_if=_unused)
    """Of a tool's answer: which call it answers."""
    name: str | None = Field(default=None, exclude_if=_unused)
    """Of a tool's answer: the tool."""
    beside: Beside | None = Field(default=None, exclude_if=_unused)
    """In a conversation's first message: what is shown beside all of them."""

    @property
    def further(self) -> dict[str, Any]:
        """What it says beside role, content and thought, as JSON; mostly nothing."""
        if self.tool_calls or self.tool_call_id or self.name or self.beside:
            return self.model_dump(exclude={"role", "content", "reasoning"})
        return {}


class Sampling(Record):
    """How an engine draws a completion."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_tokens: int = Field(default=512, gt=0)
    """Most tokens a completion may have."""
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Softmax temperature; 0 is greedy."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus: the smallest set of tokens with this probability mass."""
    logprobs: int = Field(default=0, ge=0, le=20)
    """How many of the likeliest tokens to report at every position; 0 reports none."""


class Request(Record):
    """One thing asked of one engine."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64")

    role: str
    """Which engine of the stage is asked: `policy`, `reviser`, `judge` …"""
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    choices: tuple[str, ...] = ()
    """When given, the completion is exactly one of these texts."""
    json_schema: dict[str, Any] | None = None
    """When given, the completion is JSON that this schema accepts."""
    template: str = ""
    """Hash of the template text that rendered the messages; empty when the user wrote them."""
    sample_index: int = Field(default=0, ge=0)
    """Tells apart several samples of the same messages."""
    columns: dict[str, Any] | None = None
    """The row's other columns, for functions; None when a model is asked."""

    def key(self, model: str) -> str:
        """Return the key of this request when `model` (name and revision) is asked: 32 hex digits.

        The role is left out: the same question to the same model is the same work.
        """
        unused = {"role"} if self.columns is not None else {"role", "columns"}
        asked = self.model_dump(mode="json", exclude=unused)
        asked["sampling"]["stop"] = []  # every key has held it; without it none would be found again
        return content_hash(asked | {"model": model})


class Job(Record):
    """A request on its way to an engine."""

    key: str
    request: Request

    @property
    def seed(self) -> int:
        """Seed of this request alone, so sampling ignores order, batch and concurrency."""
        return int(self.key[:15], 16) % (2**31)


FinishReason = Literal["stop", "length", "content_filter"]


class Completion(Record):
    """What came back for a request: text, or a failure and no text."""

    text: str = ""
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """All that was generated, thoughts too."""
    reasoning: str | None = None
    """What the model thought before the text, where it is told apart (`pairwright.engines.thoughts`)."""
    reasoning_tokens: int | None = None
    """Those of the completion's tokens that the thought took; None where nobody says."""
    top_logprobs: tuple[dict[str, float], ...] = ()
    """At each position, the likeliest tokens and their natural-log probabilities."""
    tool_calls: tuple[ToolCall, ...] = Field(default=(), exclude_if=_unused)
    """Tools that it calls, where the request showed some."""
    model: str = ""
    """The model as the engine itself reports it."""
    system_fingerprint: str = Field(default="", exclude_if=lambda name: not name)
    """What the server calls the system that answered, if it says so."""
    unusable_prompt_tokens: int = Field(default=0, exclude_if=lambda count: not count)
    """Those of the replies before this one that could not be used, which are paid for all the same."""
    unusable_completion_tokens: int = Field(default=0, exclude_if=lambda count: not count)
    batch: bool = Field(default=False, exclude_if=lambda batch: not batch)
    """Whether it came of a batch job, which has prices of its own."""
    failure: str | None = None
    """Why there is no text, after every retry. A failed completion is never kept in the journal."""


class Outcome(Record):
    """How a row ended: `kept`, or dropped, with a status and a reason."""

    status: str
    reason: str = ""
    columns: dict[str, Any] = {}
    """The row's own columns, as the stage's schema names them."""
    further: tuple[dict[str, Any], ...] = ()
    """Columns of the other rows that came of it, when it was kept as more than one. It counts once."""


class Ending(NamedTuple):
    """How a row ends, or why there is no answer, revision or preference: a status and its reason."""

    status: str
    reason: str = ""


KEPT = "kept"
FAILED = "failed"
"""Status of a row whose request failed after every retry. The next run tries it again."""
BAD_ROW = "bad_row"
"""Status of a row that could not be read and was passed over."""
TRUNCATED, REFUSED, EMPTY = "truncated", "refused", "empty"
"""Cut off at the limit of tokens; declined, or withheld by a filter; nothing said."""
UNPARSED = "unparsed"
"""What was asked for cannot be found in what a model wrote."""
NO_CHANGE, BLANK_LINES, UNVERIFIED = "no_change", "blank_lines", "unverified"
"""A revision that is the answer again, or differs in blank lines only, or that no verifier finds better."""
IDENTICAL, TOO_FEW, DUPLICATE = "identical", "too_few", "duplicate"
"""Answers that are the same, or fewer than two; a row that is there already."""
TIE, INCONSISTENT = "tie", "inconsistent"
"""No side preferred; another side preferred in the other order."""
TOO_LONG, UNSCORED, MISSING = "too_long", "unscored", "missing"
"""More tokens than are taken; no verifier that applies; an answer that is not there."""
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: Any) -> str:
    """Return the canonical JSON text of a value: sorted keys, no spaces, Unicode as it is."""
    return _CANONICAL.encode(value)


def content_hash(value: Any) -> str:
    """Return the hash of a JSON value: that of its canonical text."""
    return text_hash(canonical_json(value))


def text_hash(text: str) -> str:
    """Return 32 hex digits of SHA-256 over a text.

    Lone surrogates cannot be UTF-8; `surrogatepass` keeps them hashable.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def key_hash(text: str) -> bytes:
    """Return a hash of a text in 16 bytes, by which texts of this process are told apart."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def prompt_hash(prompt: Iterable[Message], *, whole: bool = False) -> str:
    """Return the hash that identifies a prompt by its messages: 16 hex digits, or 32 if `whole`."""
    found = content_hash([{"role": m.role, "content": m.content} | m.further for m in prompt])
    return found if whole else found[:16]


def conversation(value: str | Sequence[Mapping[str, str]], role: str = "user") -> tuple[Message, ...]:
    """Return messages from what data files hold; a plain string becomes one message of `role`."""
    if isinstance(value, str):
        return (Message(role=role, content=value),)
    said = ("tool_calls", "tool_call_id", "name")
    return tuple(
        Message(role=m["role"], content=m["content"], **{name: m[name] for name in said if m.get(name)})
        for m in value
    )


def stored(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return messages as rows hold them; tools and documents beside them have columns of their own."""
    return [m.model_dump(mode="json", exclude={"reasoning", "beside"}) for m in messages]


def transcript(messages: Sequence[Message]) -> str:
    """Return a conversation as text: a lone message as it is, several with their speakers, tools first."""
    beside = next((m.beside for m in messages if m.beside), None) or Beside()
    before = [
        f"{name}: {value}"
        for name, value in (("Tools", beside.tools), ("Documents", beside.documents))
        if value
    ]
    if len(messages) == 1 and not before:
        return messages[0].content
    return "\n\n".join([*before, *(f"{m.role.capitalize()}: {spoken(m)}" for m in messages)])


def spoken(message: Message) -> str:
    """Return the text of a message with the tools it calls."""
    calls = [f"calls {call.function.name} with {call.function.arguments}" for call in message.tool_calls]
    return "\n".join([message.content, *calls] if message.content else calls)


class Finished(NamedTuple):
    """A completion and the key of the job it answers."""

    key: str
    completion: Completion


ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
"""Roles a message may have: templates paste them between marks, so data cannot make up its own."""
