"""Faults behind replies that are no answer: of the request, of the server, or of the moment.

The texts hold what strangers wrote, unshortened; whoever shows them redacts them first.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import NamedTuple

import httpx

from pairwright.engines.openai.dialect import TOO_LONG
from pairwright.engines.openai.error_body import ErrorBody, read_error
from pairwright.engines.openai.retry import UNLIMITED, Fault
from pairwright.engines.openai.retry_after import asked_wait
from pairwright.engines.probe import Kind, ignores
from pairwright.records import Completion

INVALID_TRIES = 3
"""Attempts a request gets at a server that answers, but not with a completion."""
BROKEN_TRIES = 8
"""Attempts a request gets when it may be what breaks the server."""

UNREACHABLE = "unreachable"
"""Code of a request for which no connection could be made."""

UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""What TLS says of a certificate that nobody trusted has signed."""

INVALID = "invalid_response"
"""Code of a reply with status 200 that holds no answer, or none that was allowed."""

BREAKING = ("http_500", "http_501", "connection")
"""Codes of a server that breaks at a request, at this one or at every one."""
UNANSWERED = (INVALID, *BREAKING)
"""Codes of requests to which no answer came that could be read."""

_WITHHELD = "withheld"
"""Code of a request that a provider's filter of contents stopped."""

_NOT_UNDERSTOOD = ("http_400", "http_422", "http_500", "http_501")
_OVERLOAD = {429, 503, 504, 529}
_RETRIED = {408, 409, 425, 429}
_NO_MONEY = {
    "insufficient_quota",
    "billing_not_active",
    "billing_hard_limit_reached",
    "exceeded_current_quota_error",
}
_TOO_MANY = re.compile(r"throttl|rate.?limit|too.?many.?requests|resource.?exhausted", re.IGNORECASE)
_NO_CREDIT = re.compile(r"credit balance is too low|insufficient (?:balance|credit|funds)", re.IGNORECASE)
_NO_KEY = re.compile(
    r"api[ _-]?key(?: (?:you )?provided)?\W{1,3}(?:is |was |has )?(?:not valid|invalid|incorrect|expired)"
    r"|(?:invalid|incorrect|expired)[ _](?:x-)?api[ _-]?key",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content[ _-]?(?:management[ _])?(?:filter|polic|moderation)|responsibleaipolicy|content exists risk"
    r"|data_inspection_failed|inappropriate content|usage (?:guidelines|polic)"
    r"|requires moderation|(?:input|prompt|content) (?:was|is|has been) flagged",
    re.IGNORECASE,
)
_REGION_CODES = {"unsupported_country_region_territory"}
_REGION = re.compile(
    r"(country|region|location)\b.{0,40}\bnot supported|not available in your", re.IGNORECASE
)
_NO_MODEL = re.compile(
    r"(?:invalid|unknown|no such) model\b|not a valid model|\bmodel\b[^.\n]{0,60}?"
    r"(?:not exist|not found|not available|is not valid|is invalid|is unknown|is not supported for)",
    re.IGNORECASE,
)
_VARIABLES = "PAIRWRIGHT_API_KEY or OPENAI_API_KEY"
_SHOWN = 5


class Known(NamedTuple):
    """What is known of the server of a reply, for advice on what to do."""

    model: str = ""
    models: tuple[str, ...] = ()
    """Those on its list."""
    variable: str = ""
    """The environment variable that holds its key."""


_NOTHING = Known()


def invalid(reason: str, tokens: tuple[int, int] = (0, 0)) -> Fault:
    """Return the fault of a reply with status 200 that holds no completion, and took these tokens."""
    return Fault(INVALID, reason, tries=INVALID_TRIES, tokens=tokens)


def not_held(kind: Kind, fault: Fault) -> str | None:
    """Return why a constraint is not enforced, if the probe's fault shows that."""
    if fault.code in _NOT_UNDERSTOOD:
        return ignores(kind, str(fault)).replace("ignores", "refuses", 1)
    return ignores(kind, fault.text) if fault.code == INVALID else None


def nobody_there(shown: str, why: str, proxy: str = "") -> str:
    """Return the sentence for an address where no server answers, or none that is trusted."""
    if UNTRUSTED in why:
        return (
            f"the certificate of the server at {shown} is not trusted here ({why}): name the file of its "
            "certificate, or of who signed it, in SSL_CERT_FILE"
        )
    if proxy:
        return (
            f"no server answers at {shown} through the proxy {proxy} that the environment names ({why}): "
            "correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, name the server in NO_PROXY, or correct the URL"
        )
    return f"no server answers at {shown} ({why}): start it or correct the URL"


def timed_out(deadline: float, last: Fault | None = None) -> Fault:
    """Return the fault of a request whose deadline passed; `last` is that of its last attempt."""
    if last is not None and last.code == UNREACHABLE:
        return replace(last, action="fail")
    text = f"no complete answer within the deadline of {deadline:g} s"
    text += f"; the attempt before met {last}" if last else ""
    return Fault("timeout", text, action="fail", overload=True, server_wide=True)


def cool_down(wait: float, why: str) -> Fault:
    """Return the fault of a request that was not sent, since the server takes none before its deadline."""
    text = "the server wants no requests for now" + (f" ({why})" if why else "")
    return Fault("cool_down", text, action="fail", wait=wait, server_wide=True)


def ended_with(fault: Fault, failure: str) -> Completion:
    """Return what a request that is given up ends with: an answer withheld by a filter is no failure."""
    withheld = fault.code == _WITHHELD
    return Completion(finish_reason="content_filter") if withheld else Completion(failure=failure)


def connection_fault(error: httpx.HTTPError) -> Fault:
    """Return the fault of a request without a reply."""
    what = f"{type(error).__name__} {error}".strip()
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Fault(UNREACHABLE, f"cannot connect ({what})", server_wide=True)
    text = f"the connection broke ({what})"
    return Fault("connection", text, tries=BROKEN_TRIES, server_wide=True)


def status_fault(
    status: int, headers: Mapping[str, str], body: bytes, now: float, known: Known = _NOTHING
) -> Fault:
    """Return the fault that a reply's status tells. `now` is wall-clock time."""
    told = read_error(body)
    message, codes = told.message, told.codes
    replied = f"HTTP {status}: {message}" if message.strip() else f"HTTP {status}"
    status = _meant(status, told)
    name = f"http_{status}"
    hint = f"set {known.variable or _VARIABLES} to a key that it accepts"
    if status in (400, 403, 451) and (codes & _REGION_CODES or _REGION.search(message)):
        text = f"refuses requests from your region; use another server or provider ({replied})"
        return Fault(name, text, action="stop")
    if codes & _NO_MONEY or status == 402:
        text = f"has no credit left for this key; top it up or use another ({replied})"
        return Fault(name, text, action="stop")
    if status in (400, 403, 422, 451) and _FILTERED.search(" ".join([*codes, message])):
        return Fault(_WITHHELD, message, action="fail")
    if status == 401:
        text = f"refuses the API key; {hint} ({replied})"
        return Fault(name, text, action="stop")
    if status == 403:
        text = f"denies access; {hint} ({replied})"
        return Fault(name, text, action="stop_unproven", server_wide=True)
    if status == 404:
        text = f"{_not_found(message, known)} ({replied})"
        return Fault(name, text, action="stop_unproven", server_wide=True)
    if status == 405:
        text = f"takes no requests at this address; does its URL end in /v1? ({replied})"
        return Fault(name, text, action="stop_unproven", server_wide=True)
    if status in _RETRIED or status >= 500:
        tries = UNLIMITED if status == 429 or status > 501 else BROKEN_TRIES
        wait = asked_wait({**told.headers, **headers}, now)
        overload = status in _OVERLOAD
        return Fault(name, message, "retry", tries, wait, overload, server_wide=status != 500)
    if 300 <= status < 400:
        there = headers.get("location", "").partition("?")[0] or "another address"
        text = f"redirects to {there}, which is not followed: name that address (HTTP {status})"
        return Fault(name, text, action="stop_unproven", server_wide=True)
    if status in (400, 422) and _NO_MODEL.search(message):
        text = f"does not serve the model {known.model!r}{_nearest(known)} ({replied})"
        return Fault(name, text, action="stop_unproven", server_wide=True)
    overflow = "context_length_exceeded" in codes or TOO_LONG.search(message)
    code = "context_overflow" if overflow and status in (400, 413, 422) else name
    return Fault(code, message, action="fail")


def error_status(told: ErrorBody) -> int:
    """Return the status that an error in a reply with status 200 stands for; 0 where it says none."""
    return _meant(told.status, told)


def _meant(status: int, told: ErrorBody) -> int:
    """The status that says what an error is, where servers send another one for it."""
    if status not in (0, 400, 403):
        return status
    said = " ".join([*told.codes, told.message])
    if _NO_CREDIT.search(told.message):
        return 402
    if _NO_KEY.search(said):
        return 401
    busy = _TOO_MANY.match(told.message) or any(map(_TOO_MANY.search, told.codes - _NO_MONEY))
    return 429 if busy else status


def _not_found(message: str, known: Known) -> str:
    """What was not found: the model, mostly, or the address."""
    if known.model in known.models or not (known.models or re.search("model|deployment", message, re.I)):
        return "has nothing at this address; does its URL end in /v1, or need to?"
    return f"has no model {known.model!r}{_nearest(known)}"


def _nearest(known: Known) -> str:
    """The models with the nearest names, or the first ones."""
    others = [name for name in known.models if name != known.model]
    near = get_close_matches(known.model, others, n=3, cutoff=0.4) or others[:_SHOWN]
    return f"; it has {', '.join(near)}" if near else ""


def printable(text: str, most: int = 400) -> str:
    """Return text from a server as one line that is safe to print."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return (line[:most] + "…" if len(line) > most else line) or "no message"
