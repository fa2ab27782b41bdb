"""Every command that takes `--batch`, and workers that share a run by batch jobs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_runs import sampled, sent
from batch_server import BatchServer
from in_process import run
from runs_on_disk import rows_of

pytestmark = pytest.mark.slow
ROWS = 6
COMMANDS = {
    "revise": "revise {rows} --reviser {engine}",
    "judge": "judge {rows} --judge {engine} --protocol text --columns chosen,rejected",
    "calibrate": "calibrate {rows} --judge {engine} --protocol text",
    "winrate": "winrate {rows}:chosen {rows}:rejected --judge {engine} --protocol text",
    "winrate, asking": "winrate {engine} {rows}:rejected --prompts {rows} --judge {engine} --protocol text",
    "eval": "eval {engine} --prompts {rows} --verify check:math",
    "score": "score {engine} {rows}",
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchServer]:
    monkeypatch.setenv("PAIRWRIGHT_API_KEY", "sk-batch")
    with BatchServer() as running:
        yield running


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_all_requests_but_the_first_of_a_form_go_in_jobs(
    tmp_path: Path, server: BatchServer, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    rows = tmp_path / "rows.jsonl"
    row = {"chosen": "It is 4, as we know.", "rejected": "It is five, as we know.", "answer": "4"}
    rows.write_text("\n".join(json.dumps({"prompt": f"What is {n} + {n}?"} | row) for n in range(ROWS)))
    argv = command.format(rows=rows, engine=f"openai:m@{server.url}").split()
    _, out, error = run(capfd, *argv, "--out", str(tmp_path / "run"), "--batch")
    assert "Traceback" not in out + error
    assert sum(sent(server)) >= ROWS - 1, error
    asked = sum(sent(server))
    run(capfd, *argv, "--out", str(tmp_path / "run"), "--batch")
    assert sum(sent(server)) == asked  # what was paid for is not asked again


def test_workers_share_a_run_by_batch_jobs(tmp_path: Path, server: BatchServer) -> None:
    for share in ("0/2", "1/2"):
        sampled(tmp_path, server, shard_size=5, shard=share)
    rows = rows_of(tmp_path / "run")
    assert len({row["row_id"] for row in rows}) == len(rows) == 20
    assert sum(sent(server)) + 2 == 20  # each worker's first request goes ahead of its job
