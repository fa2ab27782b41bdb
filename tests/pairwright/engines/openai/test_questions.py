"""A refusal that names no field: one small request tells whether it is the run's or the row's."""

import json
from pathlib import Path

import pytest
from asking import ask, job, openai_engine
from batch_server import BatchServer
from faultserver import FaultServer
from in_process import quietly, run
from plain_server import Json, PlainServer, reply

from pairwright.errors import PairwrightError
from pairwright.folders.journal import Journal

SAID = "a 'grok' of this kind is beyond us"
STATUSES = (400, 413, 422, 418)


@pytest.mark.parametrize("status", STATUSES)
def test_what_no_request_can_do_ends_the_run_at_the_first(status: int) -> None:
    def refuses(body: Json) -> Json:
        return {"error": {"message": SAID}, "status": status}

    with PlainServer(refuses) as server:
        engine = openai_engine(server.url, max_concurrency=64)
        with pytest.raises(PairwrightError) as caught:
            ask(engine, [job(f"a question of many words, {n}") for n in range(64)])
        engine.close()
    assert [body["messages"][-1]["content"] for body in server.bodies[1:]] == ["Hello"]
    assert "refuses every request, of one word too: change what is sent" in str(caught.value)
    assert f"(http_{status}: {SAID}; beside the message: " in str(caught.value)
    assert 'model="m", max_tokens=16, temperature=1.0' in str(caught.value)


def garbled(body: Json) -> Json:
    found = reply(body, "An answer.")
    found["choices"][0]["finish_reason"] = "who knows"
    return found


def test_answers_that_can_never_be_read_are_paid_for_a_few_times() -> None:
    with PlainServer(garbled) as server:
        engine = openai_engine(server.url, max_concurrency=64)
        with pytest.raises(PairwrightError, match="answers no request, of one word neither"):
            ask(engine, [job(f"question {n}") for n in range(64)])
        engine.close()
    assert [body["messages"][-1]["content"] == "Hello" for body in server.bodies] == [False] * 3 + [True]


@pytest.mark.parametrize("fault", ["500", "reset"])
def test_a_server_that_breaks_at_every_request_is_asked_by_one_row_and_one_question(fault: str) -> None:
    with FaultServer(fault=fault) as server:
        engine = openai_engine(server.url, max_concurrency=64)
        with pytest.raises(PairwrightError, match="answers no request, of one word neither: its own log"):
            ask(engine, [job(f"question {n}") for n in range(64)])
        engine.close()
    assert len(server.seen) == 8 + 1


def test_a_server_that_breaks_at_long_requests_is_asked_by_all_rows_at_once() -> None:
    with FaultServer() as server:
        engine = openai_engine(server.url)
        found = ask(engine, [job(f"[[fault:500]] {n}") for n in range(9)])
        engine.close()
    assert {c.failure for c in found} == {"http_500: fault 500 (8 attempts)"}
    assert len(server.seen) == 9 * 8 + 1


def test_what_one_row_is_refused_for_is_the_rows_and_asked_about_once() -> None:
    with FaultServer() as server:
        engine = openai_engine(server.url)
        found = ask(engine, [job(f"[[fault:{status}]] {n}") for n, status in enumerate(STATUSES)])
        assert [c.failure for c in found] == [f"http_{status}: fault {status}" for status in STATUSES]
        assert ask(engine, [job("and this?")])[0].failure is None
        engine.close()
    assert len(server.attempts("Hello")) == 1


def test_an_answer_given_before_shows_that_the_server_takes_such_requests() -> None:
    with FaultServer() as server:
        engine = openai_engine(server.url)
        ask(engine, [job("first")])
        assert (ask(engine, [job("[[fault:400]]")])[0].failure or "").startswith("http_400")
        engine.close()
    assert not server.attempts("Hello")


def test_a_context_that_holds_no_word_is_a_matter_of_the_settings() -> None:
    with FaultServer(fault="context_vllm") as server:
        engine = openai_engine(server.url)
        with pytest.raises(PairwrightError, match="choose a smaller --max_tokens"):
            ask(engine, [job("long"), job("longer")])
        engine.close()
    assert len(server.seen) == 2


def test_every_question_of_ours_is_in_the_journal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The servers' log is the journal, with probes of constraints and of log-probabilities too."""
    rows = tmp_path / "rows.jsonl"
    long = [f"too much of it {n}" for n in range(3)]
    texts = [{"prompt": text, "chosen": f"an {text}", "rejected": "b"} for text in (*long, "x", "y")]
    rows.write_text("\n".join(map(json.dumps, texts)))
    answered: list[Json] = []

    def says(body: Json) -> Json:
        if "too much" in body["messages"][-1]["content"]:
            return {"error": {"message": SAID}}
        answered.append(body)
        return reply(body, body.get("structured_outputs", {"choice": "A"})["choice"][0])

    with PlainServer(says, models=[{"id": "m", "owned_by": "vllm"}]) as server:
        for protocol in ("choice", "logprob"):
            out = tmp_path / protocol
            answered.clear()
            command = f"judge {rows} --judge openai:m@{server.url} --protocol {protocol} --min_margin 0"
            run(capfd, *command.split(), "--columns", "chosen,rejected", "--out", str(out))
            with Journal(out / "journal.sqlite") as journal:
                assert len(journal) == len(answered) > 4


def test_rows_of_a_batch_run_wait_for_no_answer_that_cannot_come(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"prompt": f"question {n}"}) + "\n" for n in range(20)))
    with BatchServer(refusal={"error": {"message": SAID}}) as server:
        command = f"sample {rows} --policy openai:m@{server.url} --n 1 --batch --out {tmp_path}/run"
        assert quietly(*command.split(), codes=(1,)) == 1
    assert len(server.chats) == 2
    assert not server.works
