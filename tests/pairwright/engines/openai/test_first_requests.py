"""A run that cannot work is found out by few requests, whatever the field and whoever asked before."""

import pytest
from asking import ask, job, openai_engine
from faultserver import FaultServer

from pairwright.engines.openai.first_requests import form_of
from pairwright.errors import PairwrightError


def test_the_first_request_is_refused_alone() -> None:
    with FaultServer(refuses=("logprobs",)) as server:
        server.latency = 0.05
        engine = openai_engine(server.url, max_concurrency=64)
        with pytest.raises(PairwrightError, match="refuses every request for its `logprobs`"):
            ask(engine, [job(f"question {i}", logprobs=3) for i in range(64)])
        engine.close()
    assert len(server.refused) == 1


def test_a_field_that_the_server_has_not_seen_before_goes_ahead_too() -> None:
    """A policy and a judge at one server: answers to the one prove nothing for the other."""
    with FaultServer(refuses=("logprobs",)) as server:
        engine = openai_engine(server.url, max_concurrency=64)
        ask(engine, [job(f"question {i}") for i in range(20)])
        with pytest.raises(PairwrightError, match="refuses every request for its `logprobs`"):
            ask(engine, [job(f"question {i}", logprobs=3) for i in range(64)])
        engine.close()
    assert len(server.refused) == 1


def test_refusals_in_words_that_say_nothing_come_one_by_one() -> None:
    with FaultServer() as server:
        server.latency = 0.05
        engine = openai_engine(server.url, max_concurrency=64)
        for number in range(20):
            engine.submit(job(f"[[fault:400]] {number}"))
        found = []
        while len(found) < 10:
            found += engine.poll(timeout=1.0)
        asked = len(server.seen)
        engine.drain()
        engine.close()
    assert asked <= 11
    assert all((c.failure or "").startswith("http_400") for _, c in found)


def test_nobody_waits_for_an_answer_that_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairwright.engines.openai.first_requests.HELD", 0.05)
    with FaultServer() as server:
        engine = openai_engine(server.url, max_concurrency=8)
        jobs = [job("[[fault:slow=1]]"), *(job(f"question {i}") for i in range(4))]
        for one in jobs:
            engine.submit(one)
        keys = []
        while len(keys) < 5:
            keys += [key for key, _ in engine.poll(timeout=1.0)]
        engine.close()
    assert keys[-1] == jobs[0].key


def test_a_form_is_what_all_rows_share() -> None:
    asked = {"model": "m", "messages": [1], "seed": 1, "top_logprobs": 20, "guided_choice": ["A", "B"]}
    other = asked | {"messages": [2], "seed": 2, "guided_choice": ["C", "D"]}
    assert form_of(asked) == form_of(other)
    assert form_of(asked) != form_of(asked | {"top_logprobs": 5})
