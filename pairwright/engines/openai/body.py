"""Bodies of the chat-completions protocol: requests and replies."""

import json
import math
from typing import Any, NamedTuple

import httpx

from pairwright.engines.constraint import broken_constraint
from pairwright.engines.openai.constraints import as_message, unwrapped
from pairwright.engines.openai.events import put_together
from pairwright.engines.openai.faults import page_text
from pairwright.engines.openai.tools import beside_in, calls_in, sent, whole
from pairwright.engines.thoughts import part
from pairwright.records import Completion, FinishReason, Job, Request, ToolCall

FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "complete": "stop",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
}
"""Finish reasons as servers call them. Any other (an abort) ends no answer."""
CALLED = ("tool_calls", "function_call", "tool_use")
"""Finish reasons of an answer that calls tools; where none were shown, it is none."""

IGNORED = "the server ignores the constraint on the answer"
"""How the reason begins when an answer is none of those that were allowed."""

UNKNOWN: dict[str, float] = {}
"""A position of which the server tells another token than stands in the answer."""
_PAGE_BYTES = 65536
_MOST_TOKENS = 2**31
_SPACES = str.maketrans("Ġ▁Ċ", "   ")
"""How some servers write white space in tokens."""


class Invalid(NamedTuple):
    """The reason why a body holds no completion."""

    reason: str


class _UnusableError(ValueError):
    """Raised while a body is read; never leaves this file."""


def request_body(job: Job, model: str) -> dict[str, Any]:
    """Return the body of a job's request, in the classic fields; `constraints.py` adds its constraint."""
    request, sampling = job.request, job.request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [sent(m) for m in request.messages],
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": job.seed,
        "n": 1,
    }
    if sampling.logprobs:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    if (beside := beside_in(request)) and beside.tools:
        body["tools"] = json.loads(beside.tools)
    return body


def body_limit(request: Request) -> int:
    """Return the greatest number of bytes that a proper answer may have."""
    per_token = 256 * (1 + request.sampling.logprobs)
    return 4 * 2**20 + request.sampling.max_tokens * per_token


def parse_body(body: bytes, request: Request, *, logprobs: bool = True) -> Completion | Invalid:
    """Return the completion in the body of a reply with status 200. Never raises.

    Without `logprobs`, a completion that lacks those that were asked for is one all the same.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Invalid("the body is not UTF-8")
    except (ValueError, RecursionError):
        value = put_together(body)
        if value is None:
            return Invalid(_no_json(body))
    try:
        return _completion(value, request, logprobs)
    except _UnusableError as error:
        return Invalid(str(error))


def _no_json(body: bytes) -> str:
    if page := page_text(body[:_PAGE_BYTES].decode()):
        return f"the body is {page}: does the URL end in /v1?"
    return "the body is not JSON" if body.strip() else "the body is empty"


def _completion(value: Any, request: Request, logprobs: bool) -> Completion:
    body = _dict(value, "the body")
    if body.get("error"):
        raise _UnusableError(f"status 200 with an error: {_error_text(body['error'])}")
    choice = as_message(_first(body.get("choices")))
    message = _dict(choice.get("message"), "`message`")
    thought = _thought(message)
    shown = beside_in(request)
    calls = _called(message) if shown and shown.tools else ()
    text, finish = _text(message, choice.get("finish_reason"), calls)
    found, said = part(text), text
    if request.choices or request.json_schema is not None or request.sampling.logprobs:
        text, thought = found.answer, thought or found.thought  # what is asked for is an answer's form
        text = unwrapped(text, request.choices)
        text = text.strip() if text.strip() in request.choices else text
    if text in request.choices:
        finish = "stop"  # a whole choice is complete even where it used up the token budget
    if finish == "stop" and (how := broken_constraint(text, request)):
        raise _UnusableError(f"{IGNORED}: {how}")
    tops: tuple[dict[str, float], ...] = ()
    if request.sampling.logprobs and (logprobs or choice.get("logprobs")):
        tops = _logprobs(choice.get("logprobs"), said if thought is None else text, thought)
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    model, system = (body.get(name) for name in ("model", "system_fingerprint"))
    return Completion(
        text=text,
        finish_reason=finish,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        reasoning=thought,
        reasoning_tokens=_reasoning_tokens(usage),
        top_logprobs=tops,
        tool_calls=calls,
        model=whole(model)[:200] if isinstance(model, str) else "",
        system_fingerprint=whole(system)[:200] if isinstance(system, str) else "",
    )


def _first(choices: Any) -> dict[str, Any]:
    """The choice with index 0; one without an index if it is the only one."""
    if not isinstance(choices, list) or not choices:
        raise _UnusableError("`choices` is missing or empty")
    found = [_dict(choice, "a choice") for choice in choices]
    if len(found) == 1 and found[0].get("index") is None:
        return found[0]
    for choice in found:
        if choice.get("index") == 0 and not isinstance(choice["index"], bool):
            return choice
    raise _UnusableError("no choice has index 0")


def _called(message: dict[str, Any]) -> tuple[ToolCall, ...]:
    calls = calls_in(message.get("tool_calls"))
    if calls is None:
        raise _UnusableError("a tool call has no name, or arguments that are no text")
    return calls


def _text(
    message: dict[str, Any], reason: Any, calls: tuple[ToolCall, ...] = ()
) -> tuple[str, FinishReason]:
    content, refusal = message.get("content"), message.get("refusal")
    finish = FINISH.get(reason.lower()) if isinstance(reason, str) else None
    if calls and (finish is not None or str(reason).lower() in CALLED):
        finish, content = finish or "stop", content or ""
    if isinstance(refusal, str) and refusal and not content:
        return whole(refusal), "content_filter"
    if finish is None:
        what = "says nothing" if reason in (None, "") else f"has an unknown word, {str(reason)[:40]!r}"
        raise _UnusableError(f"`finish_reason` {what}, so that nobody knows whether the answer is whole")
    if content is None and finish != "stop":
        content = ""  # filtered, or cut off before the answer began
    if isinstance(content, list):
        content = "".join(_texts(content, "text"))
    if not isinstance(content, str):
        raise _UnusableError(f"`content` is not text but {type(content).__name__}")
    return whole(content), finish


def _thought(message: dict[str, Any]) -> str | None:
    """What servers put beside the answer, or among its parts, as the model's thought."""
    content = message.get("content")
    for name in ("reasoning_content", "reasoning"):
        if isinstance(said := message.get(name), str) and said.strip():
            return whole(said).strip("\r\n")
    parts = _texts(content, "thinking") if isinstance(content, list) else []
    return "\n\n".join(parts).strip("\r\n") or None


def _texts(parts: list[Any], kind: str) -> list[str]:
    """The texts of a kind of parts: `text`, or `thinking`, whose text may be in parts itself."""
    found = []
    for piece in parts:
        if isinstance(piece, dict) and piece.get("type", "text") == kind:
            said = piece.get(kind)
            found.append("".join(_texts(said, "text")) if isinstance(said, list) else said)
    return [whole(said) for said in found if isinstance(said, str)]


def _reasoning_tokens(usage: dict[str, Any]) -> int | None:
    """The tokens of the thought, where the server says."""
    details = usage.get("completion_tokens_details")
    count = details.get("reasoning_tokens") if isinstance(details, dict) else usage.get("reasoning_tokens")
    return _count(count) or None


def _logprobs(logprobs: Any, text: str, thought: str | None) -> tuple[dict[str, float], ...]:
    """The likeliest tokens at each position of the answer; none where the positions are a thought's."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not content and not text:
        return ()
    if not isinstance(content, list) or not content:
        raise _UnusableError("log-probabilities were asked for and are missing")
    entries = [_dict(entry, "a log-probability entry") for entry in content]
    positions = tuple(_position(entry) for entry in entries)
    tokens = ["".join(_logprob(entry)[0].translate(_SPACES).split()) for entry in entries]
    answer = "".join(text.split())
    first = next(filter(None, tokens), "")
    if thought is None and (not first.isascii() or answer.startswith(first) or first.startswith(answer)):
        return positions
    for start, token in enumerate(tokens):
        rest = "".join(tokens[start:])
        if token and (rest == answer or (thought is None and rest.startswith(answer))):
            return positions[start:]
    # of a thought that is not there, nobody can say where it ends
    return (UNKNOWN,) if thought is None else ()


def _position(entry: dict[str, Any]) -> dict[str, float]:
    """Likeliest tokens at one position; of several that read the same, the likeliest."""
    _logprob(entry)
    top = entry.get("top_logprobs")
    if not isinstance(top, list) or not top:
        raise _UnusableError("`top_logprobs` were asked for and are missing")
    found: dict[str, float] = {}
    for candidate in top:
        token, value = _logprob(_dict(candidate, "a log-probability entry"))
        found[token] = max(value, found.get(token, -math.inf))
    return found


def _logprob(entry: dict[str, Any]) -> tuple[str, float]:
    token, value = entry.get("token"), entry.get("logprob")
    if not isinstance(token, str):
        raise _UnusableError("a log-probability has no token")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _UnusableError("a log-probability is not a number")
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value) or value > 1e-3:
        raise _UnusableError(f"a log-probability is {value}")
    return whole(token), min(value, 0.0)


def _dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _UnusableError(f"{what} is not an object")
    return value


def _count(value: Any) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
    return value if usable else 0


def _error_text(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else "no message"


async def read_at_most(reply: httpx.Response, most: int) -> bytes:
    """Return the first `most` bytes of a body; the rest is never read."""
    parts: list[bytes] = []
    left = most
    async for piece in reply.aiter_bytes():
        parts.append(piece[:left])
        left -= len(parts[-1])
        if left <= 0:
            break
    return b"".join(parts)
