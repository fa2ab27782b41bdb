"""Every misbehaviour of a server against the real engine, over real connections."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from asking import ask, job, openai_engine
from faultserver import FaultServer

from pairwright.engines.base import Engine
from pairwright.engines.openai import transport
from pairwright.engines.openai.engine import OpenAIEngine
from pairwright.engines.options import EngineOptions
from pairwright.errors import PairwrightError, UsageError
from pairwright.records import Message

HEALED = {
    "html", "empty", "truncated", "bad_utf8", "empty_object", "list", "null", "deep", "big_number",
    "choices_null", "choices_empty", "choices_dict", "choices_text", "no_message",
    "content_null", "content_int", "finish_unknown", "finish_null", "no_index_0",
    "gzip_bomb", "giant",
}  # fmt: skip
"""Spoilt answers that are asked for again, at most three times."""
LOGPROB_FAULTS = {
    "logprob_nan", "logprob_inf", "logprob_null", "logprob_text", "logprob_positive",
    "logprobs_missing",
}  # fmt: skip
RETRIED = {"408", "409", "425", "429", "500", "501", "502", "503", "504", "520", "529"}
BROKEN = {"reset", "reset_mid", "close", "short", "garbage"}
HARMLESS = {
    "ok", "plain", "reasoning", "content_parts", "shuffled", "duplicated", "no_index", "other_model",
    "model_int", "usage_wrong", "usage_missing", "extra_fields", "bom",
}  # fmt: skip
FINAL = {"400", "404", "405", "410", "413", "418", "422", "context_length", "context_vllm", "300"}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture(scope="module")
def engine(server: FaultServer) -> Iterator[OpenAIEngine]:
    opened = openai_engine(server.url, deadline=30)
    yield opened
    opened.close()


def prompt(fault: str, note: str = "") -> str:
    """A message that no other test sends."""
    return f"[[fault:{fault}]] {os.environ['PYTEST_CURRENT_TEST']} {note}"


def neighbours(note: str) -> list[str]:
    return [prompt("ok", f"{note} {i}") for i in range(3)]


def test_is_an_engine(server: FaultServer, engine: Engine) -> None:
    assert engine.identity == f"openai:m@{server.url}"
    assert engine.capacity == 16
    assert engine.poll() == []


@pytest.mark.parametrize("fault", sorted(HEALED | LOGPROB_FAULTS))
def test_spoilt_answers_heal_or_fail_after_three(fault: str, server: FaultServer, engine: Engine) -> None:
    logprobs = 2 if fault in LOGPROB_FAULTS else 0
    texts = [prompt(fault), prompt(f"{fault},ok"), *neighbours(fault)]
    bad, healed, *others = ask(engine, [job(t, logprobs=logprobs) for t in texts])
    assert (bad.text, bad.top_logprobs) == ("", ())
    assert bad.failure is not None
    assert bad.failure.startswith("invalid_response: ")
    assert bad.failure.endswith("(3 attempts)")
    assert [len(server.attempts(text)) for text in texts] == [3, 2, 1, 1, 1]
    assert all(c.failure is None and c.text.startswith("answer ") for c in (healed, *others))


def test_tokens_of_replies_that_cannot_be_used_are_told(server: FaultServer, engine: Engine) -> None:
    bad, healed = ask(engine, [job(prompt("finish_unknown")), job(prompt("finish_unknown,ok"))])
    assert (bad.model, bad.unusable_prompt_tokens, bad.unusable_completion_tokens) == ("m", 21, 15)
    assert (healed.unusable_prompt_tokens, healed.unusable_completion_tokens) == (7, 5)


@pytest.mark.parametrize("fault", sorted(HARMLESS))
def test_oddities_are_read(fault: str, server: FaultServer, engine: Engine) -> None:
    odd, honest = ask(engine, [job(prompt(fault)), job(prompt("ok", "honest"))])
    assert odd.failure is None
    assert odd.text.startswith("answer ")
    assert honest.model == "m@faultserver"
    assert odd.reasoning == ("let me think" if fault in ("reasoning", "content_parts") else None)
    assert {"other_model": "somebody-else", "model_int": "m"}.get(fault, honest.model) == odd.model
    counts = (0, 0) if fault.startswith("usage") else (7, 5)
    assert (odd.prompt_tokens, odd.completion_tokens) == counts


@pytest.mark.parametrize("fault", sorted(RETRIED | BROKEN))
def test_passing_trouble_passes(fault: str, server: FaultServer, engine: Engine) -> None:
    texts = [prompt(f"{fault},{fault},ok"), *neighbours(fault)]
    completions = ask(engine, [job(text) for text in texts])
    assert all(c.failure is None for c in completions)
    assert [len(server.attempts(text)) for text in texts] == [3, 1, 1, 1]


@pytest.mark.parametrize("fault", sorted({"408", "409", "500", "501"} | BROKEN))
def test_a_request_that_breaks_the_server_is_given_up(
    fault: str, server: FaultServer, engine: Engine
) -> None:
    bad, *others = ask(engine, [job(t) for t in (prompt(fault), *neighbours(fault))])
    assert bad.failure is not None
    assert bad.failure.startswith("connection: " if fault in BROKEN else f"http_{fault}: ")
    assert len(server.attempts(prompt(fault))) == 8
    assert all(c.failure is None for c in others)


@pytest.mark.parametrize("fault", sorted(FINAL))
def test_refused_requests_fail_at_once(fault: str, server: FaultServer, engine: Engine) -> None:
    bad, *others = ask(engine, [job(t) for t in (prompt(fault), *neighbours(fault))])
    code = "context_overflow" if fault.startswith("context") else f"http_{fault}"
    assert bad.failure is not None
    assert bad.failure.startswith(f"{code}: ")
    assert len(server.attempts(prompt(fault))) == 1
    assert all(c.failure is None for c in others)


@pytest.mark.parametrize(
    ("fault", "text", "finish"),
    [
        ("content_empty", "", "stop"),
        ("content_space", " \n ", "stop"),
        ("finish_length", None, "length"),
        ("cut_in_thought", "", "length"),
        ("finish_filter", None, "content_filter"),
        ("refusal", "I cannot help with that.", "content_filter"),
        ("surrogate", "half \ufffd", "stop"),
    ],
)
def test_what_the_stage_decides(
    fault: str, text: str | None, finish: str, server: FaultServer, engine: Engine
) -> None:
    (completion,) = ask(engine, [job(prompt(fault))])
    assert (completion.failure, completion.finish_reason) == (None, finish)
    assert completion.text.startswith("answer " if text is None else text)
    assert len(server.attempts(prompt(fault))) == 1


def test_what_is_sent(server: FaultServer, engine: Engine) -> None:
    asked = job(prompt("ok"), logprobs=3)
    messages = (Message(role="system", content="half \ud83d"), *asked.request.messages)
    sampling = asked.request.sampling.model_copy(update={"temperature": 0.5})
    asked = asked.model_copy(
        update={"request": asked.request.model_copy(update={"messages": messages, "sampling": sampling})}
    )
    (completion,) = ask(engine, [asked])
    (seen,) = server.attempts(prompt("ok"))
    assert seen.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "half \ufffd"},
            {"role": "user", "content": prompt("ok")},
        ],
        "max_tokens": 16,
        "temperature": 0.5,
        "top_p": 1.0,
        "seed": asked.seed,
        "n": 1,
        "logprobs": True,
        "top_logprobs": 3,
    }
    assert seen.headers["accept-encoding"] == "identity"
    assert [len(position) for position in completion.top_logprobs] == [3, 3]
    assert completion.top_logprobs[0]["answer"] == -0.1


def test_constraints_are_sent_and_checked(server: FaultServer, engine: Engine) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    chosen, broken, formed, malformed = ask(
        engine,
        [
            job(prompt("ok", "choice"), choices=("A", "B")),
            job(prompt("unconstrained", "choice"), choices=("A", "B")),
            job(prompt("ok", "schema"), json_schema=schema),
            job(prompt("unconstrained", "schema"), json_schema=schema),
        ],
    )
    assert chosen.text in ("A", "B")
    assert formed.text == '{"a": 1}'
    for failed in (broken, malformed):
        assert failed.failure is not None
        assert "the server ignores the constraint" in failed.failure
        assert "3 attempts" in failed.failure
    (by_choice,) = server.attempts(prompt("ok", "choice"))
    assert by_choice.body["structured_outputs"] == {"choice": ["A", "B"]}
    (by_schema,) = server.attempts(prompt("ok", "schema"))
    assert by_schema.body["response_format"]["json_schema"]["schema"] == schema


def test_seed_and_answer_do_not_depend_on_order(server: FaultServer, engine: Engine) -> None:
    jobs = [job(prompt("ok", str(i)), sample_index=i) for i in range(40)]
    forward = ask(engine, jobs)
    assert ask(engine, jobs[::-1]) == forward[::-1]
    assert len({c.text for c in forward}) == len(jobs)


def test_redirects_are_not_followed(server: FaultServer, engine: Engine) -> None:
    with FaultServer() as elsewhere:
        (completion,) = ask(engine, [job(prompt(f"redirect={elsewhere.url}/chat/completions"))])
        assert elsewhere.seen == []
    assert completion.failure is not None
    assert completion.failure.startswith(f"http_307: redirects to {elsewhere.url}/chat/completions, ")


def test_what_is_packed_is_read(server: FaultServer, engine: Engine) -> None:
    (completion,) = ask(engine, [job(prompt("gzip"))])
    assert completion.text.startswith("answer ")


def test_endless_bodies_are_left_early(server: FaultServer, engine: Engine) -> None:
    ask(engine, [job(prompt("giant"))])
    for seen in server.attempts(prompt("giant")):
        assert seen.sent < 32 * 2**20  # 4 MiB that an answer may have, and what sockets buffer


def test_closing_is_prompt_whatever_is_open(server: FaultServer) -> None:
    engine = openai_engine(server.url, deadline=600)
    for fault in ("hang", "drip", "hang_mid", "429=300", "503"):
        for i in range(4):
            engine.submit(job(prompt(fault, str(i))))
    time.sleep(0.3)
    before = time.monotonic()
    engine.close()
    engine.close()
    assert time.monotonic() - before < 20  # of the 600 that they may take


def test_draining_waits_for_open_requests_only(server: FaultServer) -> None:
    engine = openai_engine(server.url, max_concurrency=2, deadline=600)
    ask(engine, [job("the first, which goes alone")])
    texts = [prompt("slow=1.5", str(i)) for i in range(6)]
    jobs = [job(text) for text in texts]
    for one in jobs:
        engine.submit(one)
    while sum(len(server.attempts(text)) for text in texts) < 2:
        time.sleep(0.01)
    finished = engine.drain()
    engine.close()
    assert sorted(f.key for f in finished) == sorted(one.key for one in jobs[:2])
    assert sum(len(server.attempts(text)) for text in texts) == 2


def test_nobody_there() -> None:
    with FaultServer() as gone:
        url = gone.url
    before = time.monotonic()
    with pytest.raises(PairwrightError, match=f"no server answers at {url}") as caught:
        openai_engine(url)
    assert time.monotonic() - before < 20
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("url", ["http://", "ftp://host/v1", "127.0.0.1:80", "http://h:99999", ""])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="openai:MODEL@URL needs a URL"):
        OpenAIEngine("m", url, EngineOptions(), f"openai:m@{url}")


def test_proxies_do_not_come_between_loopback(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    engine = openai_engine(server.url)
    (completion,) = ask(engine, [job(prompt("ok"))])
    engine.close()
    assert completion.failure is None


def test_a_list_of_models_that_does_not_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drops that come faster than anybody's patience ends, and make no list."""
    monkeypatch.setattr(transport, "_MODELS_SECONDS", 0.5)
    left = threading.Event()

    def drip(listener: socket.socket) -> None:
        there, _ = listener.accept()
        with there, contextlib.suppress(OSError):
            there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not left.wait(0.05):
                there.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        before = time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        OpenAIEngine("m", url, EngineOptions(), f"openai:m@{url}", patience=0.5).close()
        assert time.monotonic() - before < 10
        left.set()
        thread.join()
