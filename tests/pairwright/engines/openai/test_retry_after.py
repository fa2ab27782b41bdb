"""What servers write when they want to be left alone, and what we make of it."""

import math
import random
import sys

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairwright.engines.openai.retry import Attempts, Backoff, Fault
from pairwright.engines.openai.retry_after import asked_wait

NOW = 1_800_000_000.0
IN_A_MINUTE = "Fri, 15 Jan 2027 08:01:00 GMT"
"""NOW is Fri, 15 Jan 2027 08:00:00 GMT."""
_DAY = {"x-ratelimit-remaining-requests-day": "1437", "x-ratelimit-reset-requests-day": "33011.38"}
_MINUTE = {"x-ratelimit-reset-tokens-minute": "1.5"}
"""A limit of which much is left, as it stands in every reply of some providers, beside one of tokens."""

SENSE: list[tuple[dict[str, str], float | None]] = [
    ({"Retry-After": "1"}, 1.0),
    ({"retry-after": " 20 "}, 20.0),
    ({"RETRY-AFTER": "1.5"}, 1.5),
    ({"Retry-After": "300"}, 300.0),
    ({"Retry-After": "86400"}, 86400.0),
    ({"Retry-After": IN_A_MINUTE}, 60.0),
    ({"Retry-After": "Friday, 15-Jan-27 08:01:00 GMT"}, 60.0),
    ({"Retry-After": "Fri Jan 15 08:01:00 2027"}, 60.0),
    ({"Retry-After": IN_A_MINUTE, "Date": "Fri, 15 Jan 2027 08:00:50 GMT"}, 10.0),
    ({"Retry-After": IN_A_MINUTE, "Date": "yesterday"}, 60.0),
    ({"retry-after-ms": "250"}, 0.25),
    ({"retry-after-ms": "250.5"}, 0.2505),
    ({"retry-after-ms": "250", "retry-after": "1"}, 1.0),
    ({"retry-after-ms": "2500", "retry-after": "1"}, 2.5),
    ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
    ({"x-ratelimit-reset-requests": "1m30s"}, 90.0),
    ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6ms"}, 1.0),
    ({"x-ratelimit-reset-tokens": "6ms"}, 0.006),
    ({"x-ratelimit-reset-tokens": "1m0.5s"}, 60.5),
    ({"x-ratelimit-reset-tokens": "6m"}, 360.0),
    ({"x-ratelimit-reset-tokens": "1h2m3s"}, 3723.0),
    ({"x-ratelimit-reset-tokens": "2d"}, 172800.0),
    ({"x-ratelimit-reset-tokens": "1s500ms"}, 1.5),
    ({"X-RateLimit-Reset": "12"}, 12.0),
    ({"X-RateLimit-Reset": "1800000030"}, 30.0),
    ({"X-RateLimit-Reset": "1800000030000"}, 30.0),
    ({"Retry-After": "soon", "x-ratelimit-reset": "7"}, 7.0),
    ({"Retry-After": "2", "x-ratelimit-reset": "7"}, 2.0),
    (_MINUTE | _DAY | {"x-ratelimit-remaining-tokens-minute": "0"}, 1.5),
    (_MINUTE | _DAY | {"x-ratelimit-remaining-tokens-minute": "0", "Retry-After": "4"}, 4.0),
    (_MINUTE | _DAY | {"x-ratelimit-remaining-tokens-minute": "50000"}, None),
    (_DAY | {"x-ratelimit-remaining-requests-day": "0"}, 33011.38),
    ({"X-RateLimit-Remaining": "3.0", "X-RateLimit-Reset": "1800000030000"}, None),
    ({"X-RateLimit-Remaining": "none", "X-RateLimit-Reset": "12"}, 12.0),
]
NONSENSE = [
    "", " ", "0", "0.0", "-1", "-0", "+5", "inf", "Infinity", "-inf", "nan", "1e400", "1e3", "0x10",
    "1_000",
    "soon", "1,2", "1; 2", "5 seconds", "١٢", "9" * 400, "1.2.3", ".", "1s2", "ms", "Fri, 15 Jan 2027",
    "Fri, 32 Jan 2027 08:01:00 GMT", "Fri, 15 Jan 2027 99:99:99 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 15 Jan 2027 07:59:59 GMT", "\x00", "None", "null", "Fri, 15 Jan 99999 08:01:00 GMT",
]  # fmt: skip


@pytest.mark.parametrize(("headers", "seconds"), SENSE)
def test_sense(headers: dict[str, str], seconds: float | None) -> None:
    found = asked_wait(httpx.Headers(headers), NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("name", ["Retry-After", "retry-after-ms", "x-ratelimit-reset"])
@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense(name: str, text: str) -> None:
    assert asked_wait({name: text}, NOW) is None


@given(
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset-a", "date"]),
        st.text() | st.from_regex(r"[0-9]*[dhms.]?[0-9]*(ms|s)?", fullmatch=True) | st.floats().map(str),
    )
)
def test_never_absurd(headers: dict[str, str]) -> None:
    wait = asked_wait(headers, NOW)
    assert wait is None or (wait > 0 and math.isfinite(wait))


def test_backoff_is_full_jitter_with_a_cap() -> None:
    backoff = Backoff(base=0.5, cap=60, rng=random.Random(0))
    for failures in (1, 2, 5, 7, 40, sys.maxsize):
        bound = min(60.0, 0.5 * 2.0 ** min(failures, 64))
        waits = [backoff.wait(failures) for _ in range(400)]
        assert 0 <= min(waits) < 0.1 * bound
        assert 0.9 * bound < max(waits) <= bound


def test_a_long_wait_is_waited_out_within_the_deadline() -> None:
    attempts = Attempts(600, Backoff(rng=random.Random(0)))
    attempts.start(now=1000)
    wait = attempts.wait_after(Fault("http_429", "", wait=300), now=1001)
    assert wait is not None
    assert 300 <= wait <= 301
    attempts.start(now=1301)
    assert attempts.left(now=1301) == 299
    assert attempts.wait_after(Fault("http_429", "", wait=300), now=1301) is None


def test_each_code_has_its_own_tries() -> None:
    attempts = Attempts(600, Backoff(rng=random.Random(0)))
    attempts.start(now=0)
    invalid, broken = Fault("invalid_response", "", tries=3), Fault("http_500", "", tries=8)
    for _ in range(2):
        assert attempts.wait_after(invalid, now=0) is not None
    for _ in range(7):
        assert attempts.wait_after(broken, now=0) is not None
    assert attempts.wait_after(broken, now=0) is None
    assert attempts.wait_after(invalid, now=0) is None


def test_an_outage_multiplies_requests_little() -> None:
    """64 requests that meet a minute of 503 send fewer than 9 each; of 3,000 rows that is 1.2×."""
    rng, sent = random.Random(0), 0
    for _ in range(64):
        attempts, now = Attempts(600, Backoff(rng=rng)), 0.0
        attempts.start(now)
        while now < 60:
            sent += 1
            wait = attempts.wait_after(Fault("http_503", ""), now)
            assert wait is not None
            now += wait
    assert sent / 64 < 9
    assert 1 + sent / 3000 < 1.2
