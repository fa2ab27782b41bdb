"""The rest of a server's rate limits, so that no request is sent that it would refuse."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pairwright.engines.openai.retry_after import reset_wait
from pairwright.records import Request

_HEADER = re.compile(
    r"x-ratelimit-(?P<what>remaining|limit|reset)-(?P<unit>requests|tokens)"
    r"|anthropic-ratelimit-(?P<unit2>requests|tokens|input-tokens|output-tokens)-"
    r"(?P<what2>remaining|limit|reset)"
)
_CHARACTERS_A_TOKEN = 4


@dataclass
class _Account:
    """One limit: what is left of it, and when it is whole again (by the monotonic clock)."""

    left: float
    whole: float
    whole_at: float


class RateLimits:
    """Keeps account of requests and tokens between the replies that tell what is left.

    Replies come late: what is in flight when one comes may not be counted in it, so it is taken off.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._tokens = 0.0
        self._requests = 0

    def begin(self, request: Request) -> None:
        """Subtract a request that is sent now."""
        tokens = tokens_of(request)
        self._requests += 1
        self._tokens += tokens
        for unit, account in self._accounts.items():
            account.left -= 1 if unit == "requests" else tokens

    def end(self, request: Request) -> None:
        """Note that a request is no longer in flight."""
        self._requests -= 1
        self._tokens -= tokens_of(request)

    def note(self, headers: Mapping[str, str], request: Request, now: float, wall: float) -> None:
        """Read the rest of the limits from a request's reply, in which the request itself is counted."""
        found: dict[str, dict[str, str]] = {}
        for name, value in headers.items():
            if match := _HEADER.fullmatch(name.lower()):
                unit, what = match["unit"] or match["unit2"], match["what"] or match["what2"]
                found.setdefault(unit, {})[what] = value.strip()
        for unit, said in found.items():
            wait = _wait(said.get("reset", ""), wall)
            if wait is None or not said.get("remaining", "").isdecimal():
                continue
            in_flight = self._requests - 1 if unit == "requests" else self._tokens - tokens_of(request)
            limit = said.get("limit", "")
            whole = float(limit) if limit.isdecimal() else float("inf")
            self._accounts[unit] = _Account(float(said["remaining"]) - in_flight, whole, now + wait)

    def wait(self, request: Request, now: float) -> float:
        """Return the seconds until a request fits into the rest."""
        longest, tokens = 0.0, tokens_of(request)
        for unit, account in list(self._accounts.items()):
            if account.whole_at <= now:
                del self._accounts[unit]  # until a reply tells again what is left
            elif account.left < (1 if unit == "requests" else min(tokens, account.whole)):
                longest = max(longest, account.whole_at - now)
        return longest


def tokens_of(request: Request) -> int:
    """Return the tokens that servers count for a request: an estimate of its text, plus its token limit."""
    characters = sum(len(message.content) for message in request.messages)
    return characters // _CHARACTERS_A_TOKEN + request.sampling.max_tokens


def _wait(text: str, wall: float) -> float | None:
    """Seconds until a limit is whole again: a duration, or a moment as RFC 3339 has it."""
    if (wait := reset_wait(text, wall)) is not None:
        return max(0.0, wait)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - wall)
