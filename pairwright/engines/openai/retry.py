"""Whether and when a failed request, as with a 429, is tried again; `client.py` sends it."""

import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from pairwright.records import Completion

UNLIMITED = sys.maxsize


@dataclass(frozen=True)
class Fault:
    """What went wrong with one attempt, and the consequence."""

    code: str
    """Short name that failures begin with: `http_429`, `timeout`, `invalid_response` …"""
    text: str
    """The rest of the sentence."""
    action: Literal["retry", "fail", "stop", "stop_unproven"] = "retry"
    """Try again, fail this request, stop the engine, or stop it unless it has answered before."""
    tries: int = UNLIMITED
    """Most attempts that may end with this code."""
    wait: float | None = None
    """Seconds the server asks everybody to wait."""
    overload: bool = False
    """Whether the server has too much to do."""
    server_wide: bool = False
    """Whether it speaks of the server more than of this request."""
    tokens: tuple[int, int] = (0, 0)
    """Those of the prompt, and those generated, that the attempt took for nothing."""

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


@dataclass
class Backoff:
    """Exponential backoff with full jitter: each wait is uniform between 0 and a doubling bound."""

    base: float = 0.5
    cap: float = 60.0
    rng: random.Random = field(default_factory=random.Random)

    def wait(self, failures: int) -> float:
        """Return seconds to wait after this many failures (1, 2, …) of a request."""
        return self.rng.uniform(0, min(self.cap, self.base * 2.0 ** min(failures, 64)))

    def nudge(self) -> float:
        """Return a little more than the wait asked for, so that requests do not come back all at once."""
        return self.rng.uniform(0, self.base)


class Attempts:
    """The attempts of one request under one deadline."""

    def __init__(self, deadline: float, backoff: Backoff) -> None:
        self.deadline = deadline
        self.sent = 0
        self.began: float | None = None
        self.ends: float | None = None
        """When time is up. The clock starts with the first turn: queueing is our own doing."""
        self.last: Fault | None = None
        self.unusable = (0, 0)
        """Tokens of the prompt, and those generated, of replies that could not be used."""
        self._backoff = backoff
        self._codes: Counter[str] = Counter()

    def start(self, now: float) -> None:
        """Start the clock, unless it runs already."""
        if self.began is None:
            self.began, self.ends = now, now + self.deadline

    def left(self, now: float) -> float:
        """Return seconds until the deadline."""
        return self.deadline if self.ends is None else self.ends - now

    def wait_after(self, fault: Fault, now: float) -> float | None:
        """Return seconds until the next attempt makes sense; None when no attempt does."""
        self.last = fault
        self.spend(*fault.tokens)
        self._codes[fault.code] += 1
        if fault.action != "retry" or self._codes[fault.code] >= fault.tries:
            return None
        if fault.wait is None:
            wait = self._backoff.wait(self._codes.total())
        else:
            wait = fault.wait + self._backoff.nudge()
        return wait if wait < self.left(now) else None

    def spend(self, prompt: int, generated: int) -> None:
        """Note tokens that a reply took which could not be used."""
        self.unusable = (self.unusable[0] + prompt, self.unusable[1] + generated)

    def charged(self, completion: Completion, model: str) -> Completion:
        """Return what a request ends with, with the tokens of replies before that could not be used."""
        prompt, generated = self.unusable
        if not prompt + generated:
            return completion
        paid = {"unusable_prompt_tokens": prompt, "unusable_completion_tokens": generated}
        return completion.model_copy(update=paid | {"model": completion.model or model})

    def failure_after(self, fault: Fault) -> str:
        """Return the failure of a request that is given up after `fault`."""
        text = str(fault)
        if fault.wait:
            text += f"; the server asks to wait {fault.wait:g} s"
        if fault.action == "retry" and self._codes[fault.code] < fault.tries:
            text += f"; given up: the deadline of {self.deadline:g} s leaves no time to try again"
        return text + (f" ({self.sent} attempts)" if self.sent > 1 else "")
