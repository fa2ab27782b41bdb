"""Several systems behind one address: said once, counted in `run.json`, named in the journal."""

import itertools
import logging
from pathlib import Path
from typing import Any

import pytest
from plain_server import PlainServer, reply
from runs_on_disk import rows_of, write_jsonl

from pairwright.folders.journal import Journal
from pairwright.folders.manifest import load_manifest
from pairwright.stages.budget import BudgetSpent
from pairwright.stages.sample import SampleConfig, sample


class Router:
    """Passes requests on to systems in turn."""

    def __init__(self, *systems: str) -> None:
        self.systems, self.asked = systems, 0

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        system = self.systems[self.asked % len(self.systems)]
        return reply(body, f"Answer {self.asked}, a sentence.") | {"system_fingerprint": system}


def config(folder: Path, url: str, **changes: Any) -> SampleConfig:
    rows = write_jsonl(folder / "rows.jsonl", [{"prompt": f"Question {n}?"} for n in range(6)])
    settings: dict[str, Any] = {"n": 1, "max_concurrency": 1, "shard_size": 1} | changes
    return SampleConfig(input=str(rows), policy=f"openai:m@{url}", out=str(folder / "run"), **settings)


def test_two_systems_under_one_address_are_said_once_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with PlainServer(Router("fp_a", "fp_b")) as server, caplog.at_level(logging.WARNING):
        sample(config(tmp_path, server.url))
    assert caplog.text.count("its answers come from 2 systems by the name of one") == 1
    assert load_manifest(tmp_path / "run").dialects["policy"]["system_fingerprints"] == {
        "fp_a": 3,
        "fp_b": 3,
    }
    with Journal(tmp_path / "run/journal.sqlite") as journal:
        kept = [journal.get(key) for key in list(journal.keys())]
    assert sorted(c.system_fingerprint for c in kept if c) == ["fp_a"] * 3 + ["fp_b"] * 3


def test_a_system_that_was_swapped_before_a_run_went_on_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router("fp_a")
    with PlainServer(router) as server, caplog.at_level(logging.WARNING):
        with pytest.raises(BudgetSpent):
            sample(config(tmp_path, server.url, max_tokens_total=21))
        assert "systems" not in caplog.text
        router.systems = ("fp_b",)
        sample(config(tmp_path, server.url))
    assert caplog.text.count("its answers come from 2 systems by the name of one") == 1
    found = load_manifest(tmp_path / "run").dialects["policy"]["system_fingerprints"]
    assert (set(found), sum(found.values())) == ({"fp_a", "fp_b"}, 6)
    assert len(rows_of(tmp_path / "run")) == router.asked == 6


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["m"], ""),
        (["org/m-2026-01-01"], ""),
        (["gpt-2"], "asked for m, it answers as gpt-2; each answer is recorded"),
        (["m-large", "m-small"], "its answers name several models as theirs, m-large and m-small"),
    ],
)
def test_answers_that_name_another_model_are_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: list[str], said: str
) -> None:
    turns = itertools.cycle(names)
    with (
        PlainServer(lambda body: reply(body, "A sentence.") | {"model": next(turns)}) as server,
        caplog.at_level(logging.WARNING),
    ):
        sample(config(tmp_path, server.url))
    assert [said in record.getMessage() for record in caplog.records] == [True] * bool(said)
    assert {row["completion_model"] for row in rows_of(tmp_path / "run")} == set(names)
