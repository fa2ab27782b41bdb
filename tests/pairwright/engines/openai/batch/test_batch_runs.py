"""Runs by batch jobs: nothing lost, nothing sent twice, whatever becomes of a job."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_runs import PROMPTS, interrupted_when, sampled, sent
from batch_server import BatchServer
from plain_server import PlainServer, reply
from runs_on_disk import REVISED, TAGGED, revise_config, rows_of, write_jsonl

from pairwright.engines.openai.batch import jobs, queue
from pairwright.engines.openai.batch.openai import OpenAIBatches
from pairwright.engines.openai.batch.store import BATCHES, BatchStore
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.journal import JOURNAL, Journal
from pairwright.folders.manifest import load_manifest
from pairwright.stages.budget import BudgetSpent
from pairwright.terminal.interrupt import Cancelled, Interrupted
from revise import revise


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SETTLE", 0.4)
    monkeypatch.setattr(queue, "ROOM_AFTER", 0.1)
    monkeypatch.setattr(queue, "TICK", 0.01)


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as running:
        yield running


def said(folder: Path) -> list[str]:
    return sorted(row["completion"][0]["content"] for row in rows_of(folder / "run"))


ALL = sorted(f"SAY {n}" for n in range(PROMPTS))


def test_one_request_goes_ahead_and_all_others_in_one_job(tmp_path: Path, server: BatchServer) -> None:
    manifest = sampled(tmp_path, server)
    assert manifest is not None
    assert manifest.complete
    assert said(tmp_path) == ALL
    assert (len(server.chats), sent(server)) == (1, [PROMPTS - 1])
    assert manifest.dialects["policy"]["batch jobs"] == "openai"
    assert not (tmp_path / "run" / BATCHES).exists()
    with Journal(tmp_path / "run" / JOURNAL) as journal:
        assert Counter(c.batch for c in journal.completions()) == {True: PROMPTS - 1, False: 1}


def test_files_stay_under_their_limits(
    tmp_path: Path, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenAIBatches, "most_requests", 8)
    sampled(tmp_path, server)
    assert (sent(server), said(tmp_path)) == ([8, 8, 3], ALL)
    assert all(len(server.files[work.file].splitlines()) <= 8 for work in server.works)
    monkeypatch.setattr(OpenAIBatches, "most_bytes", 1500)
    server.works.clear()
    server.files.clear()
    (tmp_path / "again").mkdir()
    sampled(tmp_path / "again", server)
    assert all(len(server.files[work.file]) <= 1500 for work in server.works)
    assert max(sent(server)) > 1
    assert sum(sent(server)) == PROMPTS - 1


@pytest.mark.parametrize("fate", ["expired", "cancelled", "lost", "500", "429"])
def test_what_a_job_left_unanswered_is_asked_again_and_nothing_else(
    tmp_path: Path, server: BatchServer, fate: str
) -> None:
    server.fate = lambda prompt, times: fate if prompt.endswith("3") and not times else "ok"
    sampled(tmp_path, server)
    assert said(tmp_path) == ALL
    assert sent(server) == [PROMPTS - 1, 2]
    assert set(server.worked.values()) == {1, 2}


def test_answers_are_known_by_their_names_whatever_else_stands_in_a_file(
    tmp_path: Path, server: BatchServer
) -> None:
    """In another order, twice, beside errors of the same name, strangers, and lines that are none."""

    def garbled(content: bytes) -> bytes:
        lines = content.splitlines()
        error = {"response": None, "error": {"message": "?"}}
        failed = [json.dumps(json.loads(line) | error).encode() for line in lines]
        strange = json.dumps(json.loads(lines[0]) | {"custom_id": "not ours"}).encode()
        odd = [b"[]", b"", strange, lines[0][:50]]
        return b"\r\n".join([*odd, *failed[:5], *lines[::-1], *lines, *failed])

    server.garbles = garbled
    sampled(tmp_path, server)
    assert (sent(server), said(tmp_path)) == ([PROMPTS - 1], ALL)


def test_a_request_that_is_refused_fails_alone(tmp_path: Path, server: BatchServer) -> None:
    server.fate = lambda prompt, times: "413" if prompt.endswith("3") else "ok"
    manifest = sampled(tmp_path, server)
    assert manifest is not None
    assert manifest.counts == {"kept": PROMPTS - 2, "failed": 2}
    assert sent(server) == [PROMPTS - 1]


def test_second_tries_of_a_gate_are_a_second_wave(tmp_path: Path, server: BatchServer) -> None:
    def revised(asked: str) -> str:
        found = re.search(r"What is (\d+) plus one", asked)
        good = found is not None and int(found[1]) % 5
        return TAGGED.format(REVISED.format(n=found[1], m=int(found[1]) + 1) if good else "too short")

    server.says = revised
    manifest = revise(
        revise_config(tmp_path, 20, reviser=f"openai:m@{server.url}", batch=True, deadline=60)
    )
    assert manifest is not None
    assert manifest.counts == {"kept": 16, "length_drift": 4}
    assert sent(server) == [20, 3]  # the row that went ahead comes again with the first tries of the others


def test_ctrl_c_leaves_jobs_running_and_the_next_command_finds_them(
    tmp_path: Path, server: BatchServer
) -> None:
    server.holds = True
    pressed = interrupted_when(lambda: bool(server.works) and server.works[0].looks > 0)
    with pytest.raises(Interrupted, match=r"1 batch job at http.*19 answered, in_progress, and they go on"):
        sampled(tmp_path, server)
    pressed.join()
    [batch] = BatchStore(tmp_path / "run").all()
    assert batch.id == "batch_1"
    stale = batch.model_copy(update={"asked": 0.0, "id": ""}).model_dump_json()
    (tmp_path / "run" / BATCHES / f".tmp-7-{batch.mark}.json").write_text(stale)  # of a killed process
    with pytest.raises(
        UsageError, match="1 batch job with 19 requests not answered yet: run it again with --batch"
    ):
        sampled(tmp_path, server, batch=False)
    server.holds = False
    sampled(tmp_path, server)
    assert (sent(server), len(server.chats), said(tmp_path)) == ([19], 1, ALL)


def test_cancelled_jobs_give_what_they_had_answered(tmp_path: Path, server: BatchServer) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        sampled(tmp_path, server, cancel=True)
    server.holds = True
    pressed = interrupted_when(lambda: bool(server.works) and server.works[0].looks > 0)
    with pytest.raises(Interrupted):
        sampled(tmp_path, server)
    pressed.join()
    with pytest.raises(Cancelled, match="1 batch job cancelled, and 9 answers of them kept") as stopped:
        sampled(tmp_path, server, cancel=True)
    assert stopped.value.exit_code == 0
    with pytest.raises(UsageError, match="no batch jobs of"):
        sampled(tmp_path, server, cancel=True)
    server.holds = False
    sampled(tmp_path, server)
    assert (sent(server)[0], sum(sent(server)[1:]), said(tmp_path)) == (19, 10 - 1, ALL)


@pytest.mark.parametrize("at", ["/v1/batches", "/v1/files"])
def test_a_connection_that_breaks_creates_nothing_twice(
    tmp_path: Path, server: BatchServer, at: str
) -> None:
    server.dies = lambda method, path, times: method == "POST" and path == at and times == 1
    sampled(tmp_path, server)
    assert (sent(server), said(tmp_path)) == ([19], ALL)


def test_a_job_that_never_came_to_be_is_sent_once_that_is_sure(tmp_path: Path, server: BatchServer) -> None:
    works = server.works
    server.dies = lambda method, path, times: (
        (method, path, times) == ("POST", "/v1/batches", 1) and bool(works.clear() or True)
    )
    sampled(tmp_path, server)
    assert (sent(server), said(tmp_path)) == ([19], ALL)
    assert [path for method, path, _ in server.seen if (method, path) == ("POST", "/v1/files")] == [
        "/v1/files"
    ]


@pytest.mark.parametrize("hours", [10, -10])
def test_a_clock_that_was_set_between_two_commands_sends_nothing_twice(
    tmp_path: Path, server: BatchServer, hours: int
) -> None:
    """Of a job whose creation was cut off; it is there, or it never came to be."""
    server.holds = True
    pressed = interrupted_when(lambda: bool(server.works) and server.works[0].looks > 0)
    with pytest.raises(Interrupted):
        sampled(tmp_path, server)
    pressed.join()
    store = BatchStore(tmp_path / "run")
    [batch] = store.all()
    times = {"asked": batch.asked + hours * 3600, "planned": batch.planned + hours * 3600}
    store.note(batch, id="", **times)
    server.holds = False
    if hours < 0:
        server.works.clear()
    sampled(tmp_path, server)
    assert (sent(server), said(tmp_path)) == ([19], ALL)


def test_a_full_queue_is_waited_for(
    tmp_path: Path, server: BatchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuses = lambda job: "token_limit_exceeded: Enqueued" if len(server.works) == 1 else None
    sampled(tmp_path, server)
    assert said(tmp_path) == ALL
    assert "its queue is full; a job of 19 requests waits" in capsys.readouterr().err


def test_a_job_that_is_refused_ends_the_run_in_a_sentence(tmp_path: Path, server: BatchServer) -> None:
    server.refuses = lambda job: "model_not_found: The model m has no batches."
    with pytest.raises(PairwrightError, match=r"refuses the batch job \(The model m has no batches\.\)"):
        sampled(tmp_path, server)
    server.refuses = lambda job: None
    sampled(tmp_path, server)
    assert said(tmp_path) == ALL


def test_a_server_without_batch_jobs_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with BatchServer(has_batches=False) as server:
        with pytest.raises(UsageError, match=r"^--batch: openai:m@http\S+ has no batch jobs .*run without"):
            sampled(tmp_path, server)
        assert not server.chats
        assert not (tmp_path / "run").exists()
    canned = write_jsonl(tmp_path / "c.jsonl", [{"text": "x"}])
    with pytest.raises(UsageError, match="--batch: for openai:MODEL@URL, and no engine here is one"):
        sampled(tmp_path, server, policy=f"canned:{canned}")


def test_a_list_of_something_else_is_no_list_of_jobs(tmp_path: Path) -> None:
    """Of a server that has one answer to whatever it is asked for."""
    with PlainServer(lambda body: reply(body, "free"), [{"id": "m", "object": "model"}]) as server:
        with pytest.raises(UsageError, match=r"has no batch jobs \(its /batches is no list of jobs\)"):
            sampled(tmp_path, server)
        assert server.bodies == []


def test_another_key_that_does_not_see_the_job_loses_nothing(tmp_path: Path, server: BatchServer) -> None:
    server.holds = True
    pressed = interrupted_when(lambda: bool(server.works) and server.works[0].looks > 0)
    with pytest.raises(Interrupted):
        sampled(tmp_path, server)
    pressed.join()
    held, server.works[:] = list(server.works), []
    with pytest.raises(PairwrightError, match="has no batch job batch_1: use the key"):
        sampled(tmp_path, server)
    server.works[:] = held
    server.holds = False
    sampled(tmp_path, server)
    assert (sent(server), said(tmp_path)) == ([19], ALL)


def test_no_key_stands_in_any_file(
    tmp_path: Path, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAIRWRIGHT_API_KEY", "sk-very-secret")
    server.holds = True
    pressed = interrupted_when(lambda: bool(server.works) and server.works[0].looks > 0)
    with pytest.raises(Interrupted):
        sampled(tmp_path, server)
    pressed.join()
    assert all(headers["authorization"] == "Bearer sk-very-secret" for _, _, headers in server.seen)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert any(path.parent.name == BATCHES for path in files)
    assert not any(b"sk-very-secret" in path.read_bytes() for path in files)


def test_max_cost_counts_batch_prices_and_sends_no_more_than_it_may(
    tmp_path: Path, server: BatchServer
) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "m: {prompt: 1000000, completion: 1000000, batch_prompt: 1, batch_completion: 500000}"
    )
    # at most 1 and 16 tokens each; really 5 and 2, the one ahead 7 at the full price
    settings = {"price_file": str(prices), "max_tokens": 16}
    with pytest.raises(BudgetSpent, match=r"is spent of --max_cost 10"):
        sampled(tmp_path, server, max_cost=10, **settings)
    assert max(sent(server)) == 1
    with Journal(tmp_path / "run" / JOURNAL) as journal:
        cost = sum(1.0 + 5e-6 if c.batch else 7.0 for c in journal.completions())
    assert cost == pytest.approx(10, abs=0.01)
    sampled(tmp_path, server, max_cost=1000, **settings)
    assert load_manifest(tmp_path / "run").complete
    assert max(server.worked.values()) == 1
