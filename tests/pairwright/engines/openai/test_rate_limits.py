"""Limits that a server tells of are kept before it has to refuse."""

import logging
import threading
import time
from datetime import UTC, datetime

import pytest
from asking import ask, job, openai_engine
from faultserver import FaultServer
from plain_server import PlainServer, reply

from pairwright.engines.openai.rate_limits import RateLimits

ASKED = job("x" * 40).request  # 10 tokens of text and 16 of answer


def noted(headers: dict[str, str], in_flight: int = 1) -> RateLimits:
    rate_limits = RateLimits()
    for _ in range(in_flight):
        rate_limits.begin(ASKED)
    rate_limits.note(headers, ASKED, 100.0, 1_700_000_000.0)
    return rate_limits


def requests(left: int, reset: str = "6s") -> dict[str, str]:
    return {"x-ratelimit-remaining-requests": str(left), "x-ratelimit-reset-requests": reset}


def anthropic(unit: str, left: int) -> dict[str, str]:
    moment = datetime.fromtimestamp(1_700_000_006, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        f"anthropic-ratelimit-{unit}-remaining": str(left),
        f"anthropic-ratelimit-{unit}-reset": moment,
    }


@pytest.mark.parametrize(
    ("headers", "in_flight", "wait"),
    [
        ({}, 1, 0),
        (requests(1), 1, 0),
        (requests(0), 1, 6),
        (requests(0, "1m0.5s"), 1, 60.5),
        (requests(3), 4, 6),  # the three others in flight may be the three that are left
        (requests(4), 4, 0),
        (requests(-1), 1, 0),  # makes no sense
        (requests(0, "soon"), 1, 0),
        ({"X-RateLimit-Remaining-Tokens": "25", "X-RateLimit-Reset-Tokens": "2s"}, 1, 2),
        ({"x-ratelimit-remaining-tokens": "26", "x-ratelimit-reset-tokens": "2s"}, 1, 0),
        (anthropic("requests", 0), 1, 6),
        (anthropic("output-tokens", 20), 1, 6),
        (anthropic("input-tokens", 30), 1, 0),
    ],
)
def test_a_request_waits_where_it_would_not_fit(headers: dict, in_flight: int, wait: float) -> None:
    assert noted(headers, in_flight).wait(ASKED, 100.0) == pytest.approx(wait)


def test_what_is_sent_is_taken_off_and_a_reset_ends_the_waiting() -> None:
    rate_limits = noted(requests(1))
    assert rate_limits.wait(ASKED, 100.0) == 0
    rate_limits.begin(ASKED)
    assert rate_limits.wait(ASKED, 101.0) == 5
    assert rate_limits.wait(ASKED, 106.5) == 0


def test_a_request_larger_than_the_whole_limit_goes_when_the_limit_is_whole() -> None:
    headers = {
        "x-ratelimit-limit-tokens": "20",
        "x-ratelimit-remaining-tokens": "20",
        "x-ratelimit-reset-tokens": "9s",
    }
    assert noted(headers).wait(ASKED, 100.0) == 0


def test_a_server_that_says_what_is_left_never_has_to_refuse() -> None:
    """Ten requests in each half second; who asks for more gets 429."""
    window, most = 0.5, 10
    taken: dict[int, int] = {}
    refused = []
    lock = threading.Lock()

    def answer(body: dict) -> dict:
        with lock:
            now = time.time()
            slot = int(now / window)
            taken[slot] = taken.get(slot, 0) + 1
            left = max(0, most - taken[slot])
            wait = f"{1000 * ((slot + 1) * window - now):.0f}ms"
            server.headers = requests(left, wait)
            if taken[slot] > most:
                refused.append(body)
                return {"error": {"message": "slow down"}, "status": 429}
        return reply(body, "fine")

    with PlainServer(answer, headers=requests(most, "1ms")) as server:
        engine = openai_engine(server.url, max_concurrency=4, deadline=20)
        ask(engine, [job("first")])
        found = ask(engine, [job(f"question {i}") for i in range(40)])
        engine.close()
    assert all(c.failure is None for c in found)
    assert len(refused) <= 4


def test_a_long_wait_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pairwright.engines.openai.client.SAID_FROM", 0.2)
    with FaultServer() as server, caplog.at_level(logging.WARNING):
        engine = openai_engine(server.url, max_concurrency=4)
        found = ask(engine, [job("[[fault:429=0.5,ok]]"), *(job(f"q{n}") for n in range(8))])
        engine.close()
    assert all(completion.failure is None for completion in found)
    [said] = [r.getMessage() for r in caplog.records if "wants no requests for" in r.getMessage()]
    assert said.startswith(f"{server.url}: it wants no requests for 0 s (")
