"""The stage runner: what is asked, how often, and what becomes of it."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from plain_server import PlainServer, reply
from runs_on_disk import TAGGED, answers, revise_config, rows_of, write_jsonl

from judge.command import judge
from judge.config import JudgeConfig
from pairwright.engines.canned import CannedEngine
from pairwright.errors import PairwrightError
from pairwright.folders.journal import Journal
from pairwright.folders.manifest import load_manifest
from pairwright.records import Job
from pairwright.stages.sample import SampleConfig, sample
from pairwright.terminal.interrupt import Interrupted, stopping_when
from revise import revise


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the keys that reach the canned engine."""
    keys: Counter[str] = Counter()
    submit = CannedEngine.submit

    def counting(self: CannedEngine, job: Job) -> None:
        keys[job.key] += 1
        submit(self, job)

    monkeypatch.setattr(CannedEngine, "submit", counting)
    return keys


def test_nothing_is_asked_twice(tmp_path: Path, asked: Counter[str]) -> None:
    revise(revise_config(tmp_path))
    assert set(asked.values()) == {1}
    # 60 rows; those that a gate drops are asked once more, except for an honest "nothing to mend"
    assert len(asked) == 60 + 12
    asked.clear()
    (tmp_path / "run" / "data" / "train-00001.parquet").unlink()
    revise(revise_config(tmp_path))
    assert not asked


def test_a_changed_gate_reads_the_journal_and_asks_only_for_new_second_tries(
    tmp_path: Path, asked: Counter[str]
) -> None:
    revise(revise_config(tmp_path))
    asked.clear()
    manifest = revise(revise_config(tmp_path, max_edit_distance=0.0))
    assert manifest is not None
    assert manifest.counts["rewritten"] == 42
    assert len(asked) == 42  # the second try with feedback, which nobody had asked for
    asked.clear()
    revise(revise_config(tmp_path))
    assert not asked
    assert load_manifest(tmp_path / "run").counts["kept"] == 42


def test_fresh_with_other_settings_uses_what_is_the_same(tmp_path: Path, asked: Counter[str]) -> None:
    revise(revise_config(tmp_path))
    asked.clear()
    revise(revise_config(tmp_path, limit=30, fresh=True))
    assert not asked


def test_equal_prompts_are_sampled_apart_and_samples_have_seeds_of_their_own(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Say a number."}] * 3)
    canned = write_jsonl(tmp_path / "c.jsonl", [{"text": str(n)} for n in range(1000)])
    sample(SampleConfig(input=str(path), policy=f"canned:{canned}", n=4, out=str(tmp_path / "run")))
    rows = rows_of(tmp_path / "run")
    assert sorted(r["sample_index"] for r in rows) == list(range(12))
    assert len({r["row_id"] for r in rows}) == 12
    assert len({r["prompt_id"] for r in rows}) == 1
    assert len({r["completion"][0]["content"] for r in rows}) > 8


def test_equal_requests_in_flight_are_asked_once(tmp_path: Path, asked: Counter[str]) -> None:
    """Two rows with the same prompt and answer but other columns differ in their sample index."""
    same = {"prompt": "What is 1 plus one?", "response": "It is one, as everybody knows who can count."}
    path = write_jsonl(tmp_path / "same.jsonl", [same | {"tag": n} for n in range(5)])
    revise(revise_config(tmp_path, input=str(path)))
    assert set(asked.values()) == {1}
    assert len(rows_of(tmp_path / "run")) == 5


def test_failed_rows_are_tried_again_by_the_next_run(tmp_path: Path) -> None:
    path = answers(tmp_path, 10)
    canned = tmp_path / "c.jsonl"
    good = {"text": TAGGED.format("The sum of some and one is easy to find: it is more, as we all know.")}
    write_jsonl(canned, [{"match": "is 4 plus", "failure": "server on fire"}, good])
    settings: dict[str, Any] = {"input": str(path), "reviser": f"canned:{canned}", "shard_size": 4}
    revise(revise_config(tmp_path, **settings))
    [failed] = [r for r in rows_of(tmp_path / "run") if r.get("status") == "failed"]
    assert failed["reason"] == "server on fire"
    assert failed["prompt"] == [{"role": "user", "content": "What is 4 plus one?"}]
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        finished = len(journal)
    engine_file = canned.read_text()
    manifest = load_manifest(tmp_path / "run")
    assert manifest.counts["failed"] == 1
    canned.write_text(engine_file)  # the same identity, and now it works
    original = CannedEngine._find
    try:
        CannedEngine._find = lambda self, job: (None, self._drawn[0][1])  # type: ignore[method-assign]
        revise(revise_config(tmp_path, **settings))
    finally:
        CannedEngine._find = original  # type: ignore[method-assign]
    assert "failed" not in load_manifest(tmp_path / "run").counts
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        assert len(journal) > finished


def test_rows_without_answers_are_answered_by_the_policy_first(tmp_path: Path) -> None:
    records = [{"prompt": "Name a fruit."}, {"prompt": "Name a tree.", "response": "An oak is a tree."}]
    path = write_jsonl(tmp_path / "p.jsonl", records)
    policy = write_jsonl(tmp_path / "policy.jsonl", [{"text": "An apple is a fruit."}])
    reviser = write_jsonl(
        tmp_path / "r.jsonl",
        [
            {"match": "An apple", "text": TAGGED.format("A ripe apple is a fruit.")},
            {"match": "An oak", "text": TAGGED.format("An old oak is a tree.")},
        ],
    )
    settings = {"input": str(path), "reviser": f"canned:{reviser}", "policy": f"canned:{policy}"}
    revise(revise_config(tmp_path, **settings))
    rows = {r["prompt"][0]["content"]: r for r in rows_of(tmp_path / "run")}
    fruit = rows["Name a fruit."]
    assert fruit["rejected"][0]["content"] == "An apple is a fruit."
    assert fruit["chosen"][0]["content"] == "A ripe apple is a fruit."
    assert fruit["rejected_model"] == "canned"
    assert rows["Name a tree."]["rejected_model"] is None


def test_sampled_runs_are_input_for_revision(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Name a fruit.", "lang": "en"}])
    policy = write_jsonl(tmp_path / "policy.jsonl", [{"text": "An apple is a fruit."}])
    sample(SampleConfig(input=str(path), policy=f"canned:{policy}", n=2, out=str(tmp_path / "answers")))
    reviser = write_jsonl(tmp_path / "r.jsonl", [{"text": TAGGED.format("A ripe apple is a fruit.")}])
    settings = {"input": str(tmp_path / "answers"), "reviser": f"canned:{reviser}"}
    revise(revise_config(tmp_path, **settings))
    rows = rows_of(tmp_path / "run")
    assert len(rows) == len({r["row_id"] for r in rows}) == 2
    assert {r["lang"] for r in rows} == {"en"}
    assert {r["rejected_model"] for r in rows} == {"canned"}


def test_what_another_server_has_under_way_is_kept_when_one_is_of_no_use(tmp_path: Path) -> None:
    """Its answers are paid for, also those that come after the end of the run."""
    begun, money = threading.Event(), list[bool]()

    def slow(body: dict[str, Any]) -> dict[str, Any]:
        if "0" not in body["messages"][-1]["content"]:  # the first goes ahead of the others
            begun.set()
            time.sleep(0.5)
        return reply(body, "An answer.")

    def poor(body: dict[str, Any]) -> dict[str, Any]:
        begun.wait(10)
        return reply(body, "Another.") if money else {"error": {"message": "no credit"}, "status": 402}

    rows = write_jsonl(tmp_path / "p.jsonl", [{"prompt": f"Question {n}?"} for n in range(4)])
    with PlainServer(slow) as one, PlainServer(poor) as other:
        config = JudgeConfig(
            input=str(rows),
            policies=f"openai:m@{one.url},openai:m@{other.url}",
            judge="check:length(max_words=1)",
            out=str(tmp_path / "run"),
        )
        with pytest.raises(PairwrightError, match="has no credit left"):
            judge(config)
        money.append(True)
        judge(config)
    assert len(one.bodies) == 4


def test_a_run_stops_at_once_while_a_server_wants_no_requests(tmp_path: Path) -> None:
    def busy(body: dict[str, Any]) -> dict[str, Any]:
        return {"error": {"message": "later"}, "status": 429}

    rows = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Question?"}])
    with PlainServer(busy, headers={"Retry-After": "20"}) as server:
        config = SampleConfig(input=str(rows), policy=f"openai:m@{server.url}", out=str(tmp_path / "run"))
        began = time.monotonic()
        with stopping_when(lambda: bool(server.bodies)), pytest.raises(Interrupted):
            sample(config)
    assert time.monotonic() - began < 10
