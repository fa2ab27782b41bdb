"""Waiting, giving up and stopping: Retry-After, deadlines, dead servers, useless keys."""

import base64
import itertools
import logging
import os
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from asking import ask, job, openai_engine
from faultserver import FaultServer, Seen

from pairwright.engines.openai.client import MOST_IN_A_ROW
from pairwright.errors import PairwrightError

LONG = 20.0
"""Seconds that only waiting for what never comes would take: a machine with much to do may be slow."""
CANARY = "sk-canary/0123456789+key"


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.delenv("PAIRWRIGHT_API_KEY", raising=False)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def prompt(fault: str, note: object = "") -> str:
    return f"[[fault:{fault}]] {os.environ['PYTEST_CURRENT_TEST']} {note}"


def gaps(seen: list[Seen]) -> list[float]:
    return [later.at - sooner.at for sooner, later in itertools.pairwise(seen)]


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ("429=1,429=1,ok", [1.0, 1.0]),
        ("429=0.2,429=0.4,429=0.8,ok", [0.2, 0.4, 0.8]),
        ("503=0.3,529=0.3,ok", [0.3, 0.3]),
        ("ms=300,ok", [0.3]),
        ("date=1,ok", [1.0]),
        ("limit_reset=0.5s,ok", [0.5]),
        ("limit_reset=400ms,ok", [0.4]),
    ],
)
def test_the_server_is_waited_for(server: FaultServer, fault: str, waits: list[float]) -> None:
    engine = openai_engine(server.url)
    (completion,) = ask(engine, [job(prompt(fault))])
    engine.close()
    assert completion.failure is None
    found = gaps(server.attempts(prompt(fault)))
    assert len(found) == len(waits)
    assert all(gap >= wait for gap, wait in zip(found, waits, strict=True))
    assert sum(found) < sum(waits) + LONG


@pytest.mark.parametrize("garbage", ["soon", "-5", "inf", "1e400", "nan", "0", "", "99999999999999"])
def test_nonsense_is_no_reason_to_wait(server: FaultServer, garbage: str) -> None:
    engine = openai_engine(server.url, deadline=LONG)  # which no wait that is obeyed would keep
    (completion,) = ask(engine, [job(prompt(f"429={garbage},ok"))])
    engine.close()
    assert completion.failure is None


def test_no_request_leaves_while_the_server_wants_none(server: FaultServer) -> None:
    engine = openai_engine(server.url, max_concurrency=4)
    texts = [prompt("429=1,ok"), *(prompt("ok", i) for i in range(40))]
    completions = ask(engine, [job(text) for text in texts])
    engine.close()
    assert all(c.failure is None for c in completions)
    refused = server.attempts(texts[0])[0].at
    assert len([s for s in server.seen if refused < s.at < refused + 1.0]) <= 3  # under way already


def test_a_wait_beyond_the_deadline_is_a_failure_that_says_so(server: FaultServer) -> None:
    engine = openai_engine(server.url, deadline=10 * LONG)
    before = time.monotonic()
    (first,) = ask(engine, [job(prompt("429=300"))])
    (second,) = ask(engine, [job(prompt("ok"))])
    engine.close()
    assert time.monotonic() - before < LONG
    assert first.failure is not None
    assert first.failure.startswith("http_429: ")
    assert "the server asks to wait 300 s" in first.failure
    assert second.failure is not None
    assert second.failure.startswith("cool_down: ")
    assert len(server.seen) == 1


@pytest.mark.parametrize("fault", ["hang", "hang_mid", "drip", "drip=0.01"])
def test_deadlines_hold_and_free_the_slot(server: FaultServer, fault: str) -> None:
    engine = openai_engine(server.url, deadline=1, max_concurrency=2)
    texts = [prompt(fault, 1), prompt(fault, 2), prompt("ok")]
    before = time.monotonic()
    *late, fine = ask(engine, [job(text) for text in texts])
    elapsed = time.monotonic() - before
    engine.close()
    assert 1.0 <= elapsed < LONG
    assert fine.failure is None
    for completion in late:
        assert completion.failure == "timeout: no complete answer within the deadline of 1 s"


@pytest.mark.parametrize("fault", ["502", "503", "504", "529", "429"])
def test_trouble_that_does_not_pass_ends_with_the_deadline(server: FaultServer, fault: str) -> None:
    engine = openai_engine(server.url, deadline=1.5)
    before = time.monotonic()
    bad, fine = ask(engine, [job(prompt(fault)), job(prompt("ok"))])
    engine.close()
    assert 0.9 < time.monotonic() - before < LONG
    assert bad.failure is not None
    assert f"http_{fault}: " in bad.failure
    assert "deadline of 1.5 s" in bad.failure
    assert fine.failure is None
    assert len(server.attempts(prompt(fault))) > 2


def stopped(server: FaultServer, fault: str, concurrency: int = 4, deadline: float = 1) -> str:
    """Why the engine stopped, when every request met this fault."""
    engine = openai_engine(server.url, max_concurrency=concurrency, deadline=deadline)
    for i in range(60):
        engine.submit(job(prompt(fault, i)))
    with pytest.raises(PairwrightError) as caught:
        _ = [engine.poll(timeout=5) for _ in range(60)]
    with pytest.raises(PairwrightError):
        engine.poll()
    engine.submit(job(prompt("ok")))
    time.sleep(0.1)
    engine.close()
    assert server.attempts(prompt("ok")) == []
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert server.url in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("fault", ["401", "403", "402", "insufficient_quota"])
def test_a_key_that_is_refused_stops_everything(server: FaultServer, fault: str) -> None:
    text = stopped(server, fault)
    assert len(server.seen) <= 1 + 4
    assert "credit" in text if fault in ("402", "insufficient_quota") else "OPENAI_API_KEY" in text


@pytest.mark.parametrize(
    ("fault", "said"), [("405", "takes no requests at this address"), ("redirect", "redirects to http://")]
)
def test_an_address_that_takes_no_requests_is_asked_once_or_twice(
    server: FaultServer, fault: str, said: str
) -> None:
    assert said in stopped(server, fault)
    assert len(server.seen) <= 1 + 4


@pytest.mark.parametrize(("fault", "deadline"), [("429=300", 1), ("hang", 0.2)])
def test_a_server_that_only_fails_stops_the_run(server: FaultServer, fault: str, deadline: float) -> None:
    text = stopped(server, fault, concurrency=16, deadline=deadline)
    assert f"failed {MOST_IN_A_ROW} requests in a row" in text
    assert "run the same command again" in text


def test_slow_requests_at_the_end_of_a_run_do_not_stop_it(server: FaultServer) -> None:
    engine = openai_engine(server.url, deadline=4, max_concurrency=64)
    faults = ["ok", "hang"] * 30
    completions = ask(engine, [job(prompt(fault, i)) for i, fault in enumerate(faults)])
    engine.close()
    assert [c.failure is None for c in completions] == [fault == "ok" for fault in faults]


def test_one_forbidden_request_among_answered_ones_is_its_own_failure(server: FaultServer) -> None:
    engine = openai_engine(server.url)
    (fine,) = ask(engine, [job(prompt("ok"))])
    (bad,) = ask(engine, [job(prompt("403"))])
    engine.close()
    assert fine.failure is None
    assert bad.failure is not None
    assert bad.failure.startswith("http_403: ")


def test_finished_work_comes_before_the_bad_news(server: FaultServer) -> None:
    engine = openai_engine(server.url, max_concurrency=1)
    jobs = [job(prompt("ok", 1)), job(prompt("ok", 2)), job(prompt("401"))]
    for one in jobs:
        engine.submit(one)
    while len(server.seen) < len(jobs):
        time.sleep(0.01)
    found = []
    while len(found) < 2:
        found += engine.poll()
    assert [f.key for f in found] == [one.key for one in jobs[:2]]
    with pytest.raises(PairwrightError, match="refuses the API key"):
        engine.poll()
    engine.close()


def test_a_server_that_dies_is_waited_for_and_then_stops_the_run() -> None:
    with FaultServer() as server:
        engine = openai_engine(server.url, deadline=2)
        ask(engine, [job(prompt("ok"))])
    engine.submit(job(prompt("ok", "late")))
    before = time.monotonic()
    with pytest.raises(PairwrightError, match="stopped answering; finished work is kept"):
        engine.poll()
    engine.close()
    assert 1 < time.monotonic() - before < LONG


def test_a_server_that_comes_back_is_used_again() -> None:
    with FaultServer() as server:
        engine = openai_engine(server.url, deadline=10)
        ask(engine, [job(prompt("ok"))])
    jobs = [job(prompt("ok", i)) for i in range(30)]
    for one in jobs:
        engine.submit(one)
    assert engine.poll(timeout=0.5) == []
    with FaultServer(port=server.port):
        finished = [f for _ in range(30) for f in engine.poll(timeout=1)]
    engine.close()
    assert len(finished) == len(jobs)
    assert all(f.completion.failure is None for f in finished)


def test_concurrency_finds_what_the_server_bears(server: FaultServer) -> None:
    server.latency, server.bears = 0.05, 6
    engine = openai_engine(server.url, max_concurrency=32, deadline=20)
    completions = ask(engine, [job(prompt("ok", i)) for i in range(400)])
    limit = engine._client.limit.limit
    engine.close()
    assert all(c.failure is None for c in completions)
    assert limit < 10
    assert len(server.seen) < 1.2 * len(completions)


def test_concurrency_grows_to_what_is_allowed(server: FaultServer) -> None:
    server.latency = 0.5  # far more than a slow machine needs to send forty requests
    engine = openai_engine(server.url, max_concurrency=40)
    ask(engine, [job(prompt("ok", i)) for i in range(300)])
    engine.close()
    assert 30 <= server.most_open <= 40


def test_secrets_reach_the_server_and_nobody_else(
    server: FaultServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, sent = server.url, f"Bearer {CANARY}"
    caplog.set_level(logging.DEBUG)
    engine = openai_engine(url, deadline=1)
    faults = [
        "echo=400",
        "long_echo=400",
        "echo=500",
        "429=300",
        "401",
        "reset",
        "html",
        "hang",
        "echo=404",
    ]
    said = [repr(engine), repr(vars(engine._client)), engine.spec, engine.identity]
    try:
        for fault in faults:
            said += [str(c) for c in ask(engine, [job(prompt(fault))])]
    except PairwrightError as error:
        said += [str(error), repr(error.__traceback__)]
    engine.close()
    dead = openai_engine(url, deadline=1)
    dead.submit(job(prompt("echo=401")))
    with pytest.raises(PairwrightError) as caught:
        dead.poll()
    dead.close()
    server.__exit__()
    with pytest.raises(PairwrightError) as gone:
        openai_engine(url)
    server.__enter__()
    everything = "\n".join([*said, str(caught.value), str(gone.value), caplog.text])
    encoded = base64.b64encode(CANARY.encode()).decode()
    spellings = (CANARY[:12], quote(CANARY[:12], safe=""), encoded[:12], sent.split()[1][:12])
    assert not [s for s in spellings if s in everything]
    assert {seen.headers["authorization"] for seen in server.seen} == {sent}
