"""Bodies of the chat-completions protocol: requests and replies."""

import contextlib
import json
import math
from typing import Any, NamedTuple

import httpx

from pairwright.engines.constraint import broken_constraint
from pairwright.engines.openai.constraints import as_message, unwrapped
from pairwright.engines.openai.error_body import page_text, read_error, words_of
from pairwright.engines.openai.events import put_together
from pairwright.engines.openai.message import UnusableError, called, text_of, thought_of
from pairwright.engines.openai.tools import beside_in, sent, whole
from pairwright.engines.thoughts import part
from pairwright.records import Completion, Job, Request

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
    error: bytes = b""
    """The error that stands in it instead, as an error reply has it."""
    tokens: tuple[int, int] = (0, 0)
    """Those of the prompt, and those generated, where it says so."""


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
    except UnusableError as error:
        return Invalid(str(error), error.error, _used(value))


def _no_json(body: bytes) -> str:
    if page := page_text(body[:_PAGE_BYTES].decode("utf-8", "replace")):
        return f"the body is {page}: does the URL end in /v1?"
    return "the body is not JSON" if body.strip() else "the body is empty"


def _completion(value: Any, request: Request, logprobs: bool) -> Completion:
    body = _dict(value, "the body")
    _raise_error(body if body.get("choices") else {"error": body if words_of(body) else None})
    first = _first(body.get("choices"))
    _raise_error(first)
    choice = as_message(first)
    message = _dict(choice.get("message"), "`message`")
    thought = thought_of(message, beside=choice)
    shown = beside_in(request)
    calls = called(message) if shown and shown.tools else ()
    text, finish = text_of(message, choice.get("finish_reason"), calls, thought)
    found, said = part(text), text
    if request.choices or request.json_schema is not None or request.sampling.logprobs:
        text, thought = found.answer, thought or found.thought  # what is asked for is an answer's form
        text = unwrapped(text, request.choices)
        text = text.strip() if text.strip() in request.choices else text
    if text in request.choices:
        finish = "stop"  # a whole choice is complete even where it used up the token budget
    if finish == "stop" and (how := broken_constraint(text, request)):
        raise UnusableError(f"{IGNORED}: {how}")
    tops: tuple[dict[str, float], ...] = ()
    if request.sampling.logprobs and (logprobs or choice.get("logprobs")):
        tops = _logprobs(choice.get("logprobs"), said if thought is None else text, thought)
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    prompt_tokens, completion_tokens = _tokens(usage, said=bool(text or thought or calls))
    model, system = (body.get(name) for name in ("model", "system_fingerprint"))
    return Completion(
        text=text,
        finish_reason=finish,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
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
        raise UnusableError("`choices` is missing or empty")
    found = [_dict(choice, "a choice") for choice in choices]
    if len(found) == 1 and found[0].get("index") is None:
        return found[0]
    for choice in found:
        if choice.get("index") == 0 and not isinstance(choice["index"], bool):
            return choice
    raise UnusableError("no choice has index 0")


def _used(body: Any) -> tuple[int, int]:
    """Tokens of a reply that cannot be used."""
    usage = body.get("usage") if isinstance(body, dict) else None
    return _tokens(usage, said=False) if isinstance(usage, dict) else (0, 0)


def _tokens(usage: dict[str, Any], *, said: bool) -> tuple[int, int]:
    """Tokens of the prompt, and those generated: with thoughts that only the total counts (Gemini, xAI).

    Half a count is none: 0 and 0, which a budget refuses, since the other half would cost nothing.
    """
    prompt = _count(usage.get("prompt_tokens", usage.get("input_tokens")))
    named = _count(usage.get("completion_tokens", usage.get("output_tokens")))
    thought = _reasoning_tokens(usage) or 0
    in_total = _count(usage.get("total_tokens")) - prompt
    generated = _count(max(named, in_total, named + thought if thought > named else 0))
    return (prompt, generated) if prompt and (generated or not said) else (0, 0)


def _reasoning_tokens(usage: dict[str, Any]) -> int | None:
    """The tokens of the thought, where the server says."""
    details = usage.get("completion_tokens_details")
    count = details.get("reasoning_tokens") if isinstance(details, dict) else usage.get("reasoning_tokens")
    return _count(count) or None


def _logprobs(logprobs: Any, text: str, thought: str | None) -> tuple[dict[str, float], ...]:
    """The likeliest tokens at each position of the answer; none where the positions are a thought's."""
    content = (logprobs.get("content") or _of_completions(logprobs)) if isinstance(logprobs, dict) else None
    if not content and not text:
        return ()
    if not isinstance(content, list) or not content:
        raise UnusableError("log-probabilities were asked for and are missing")
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


def _of_completions(logprobs: dict[str, Any]) -> list[Any]:
    """The entries of log-probabilities in the older protocol's form, a list of each field."""
    fields = [logprobs.get(name) for name in ("tokens", "token_logprobs", "top_logprobs")]
    if not all(isinstance(found, list) for found in fields):
        return []
    return [
        {
            "token": token,
            "logprob": value,
            "top_logprobs": [{"token": t, "logprob": p} for t, p in top.items()] if top else [],
        }
        for token, value, top in zip(*fields, strict=False)
        if isinstance(top, dict | None)
    ]


def _position(entry: dict[str, Any]) -> dict[str, float]:
    """Likeliest tokens at one position; of several that read the same, the likeliest."""
    _logprob(entry)
    top = entry.get("top_logprobs")
    if not isinstance(top, list) or not top:
        raise UnusableError("`top_logprobs` were asked for and are missing")
    found: dict[str, float] = {}
    for candidate in top:
        if isinstance(candidate, dict) and candidate.get("logprob") in (None, -math.inf):
            continue  # a token that cannot be
        token, value = _logprob(_dict(candidate, "a log-probability entry"))
        found[token] = max(value, found.get(token, -math.inf))
    if not found:
        raise UnusableError("no log-probability of a position is a number")
    return found


def _logprob(entry: dict[str, Any]) -> tuple[str, float]:
    token, value = entry.get("token"), entry.get("logprob")
    if not isinstance(token, str):
        raise UnusableError("a log-probability has no token")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableError("a log-probability is not a number")
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value) or value > 1e-3:
        raise UnusableError(f"a log-probability is {value}")
    return whole(token), min(value, 0.0)


def _dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnusableError(f"{what} is not an object")
    return value


def _count(value: Any) -> int:
    """A number of tokens, of servers that write it as 7.0 or "7" too; 0 for what is none."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 12:
        value = int(value)
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
    return int(value) if usable else 0


def _raise_error(said: dict[str, Any]) -> None:
    """Raise the error that a reply with status 200, or its choice, holds in place of an answer."""
    if said.get("error"):
        body = json.dumps({"error": said["error"]}).encode()
        raise UnusableError(f"status 200 with an error: {read_error(body).message}", body)


async def read_at_most(reply: httpx.Response, most: int) -> bytes:
    """Return the first `most` bytes of a body, or as many as can be unpacked; the rest is never read."""
    parts: list[bytes] = []
    left = most
    with contextlib.suppress(httpx.DecodingError):
        async for piece in reply.aiter_bytes():
            parts.append(piece[:left])
            left -= len(parts[-1])
            if left <= 0:
                break
    return b"".join(parts)
