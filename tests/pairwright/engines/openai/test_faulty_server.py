"""A whole run against a server that misbehaves in every way it knows: every row is accounted for."""

import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fault_bodies import BODIES
from faultserver import FaultServer
from places import SUPPORT
from runs_on_disk import rows_of, write_jsonl

from pairwright.errors import PairwrightError
from pairwright.folders.manifest import load_manifest
from pairwright.stages.sample import SampleConfig, sample

STATUSES = ["400", "404", "408", "409", "413", "422", "429=0.1", "500", "502", "503=0.1", "504", "529"]
CONNECTIONS = ["reset", "reset_mid", "close", "short", "garbage", "date=1", "ms=50", "limit_reset=50ms"]
WAYS = [*BODIES, *STATUSES, *CONNECTIONS, "context_length", "redirect", "plain", "giant", "gzip_bomb"]
SLOW = ["hang", "drip", "hang_mid"]


def config(folder: Path, url: str, prompts: list[str], **settings: object) -> SampleConfig:
    path = write_jsonl(folder / "prompts.jsonl", [{"prompt": p} for p in prompts])
    values = {"input": str(path), "policy": f"openai:m@{url}", "out": str(folder / "run"), "n": 2}
    return SampleConfig(**({"deadline": 3.0, "shard_size": 40} | values | settings))


def test_every_misbehaviour_leaves_every_row_accounted_for(tmp_path: Path) -> None:
    """Each way spoils a prompt for good, and another that heals at the second attempt; between them
    stand prompts that nothing is wrong with."""
    assert len(WAYS) + len(SLOW) >= 60
    prompts = [
        f"{note} [[fault:{way}{heals}]]" for way in WAYS for note, heals in (("bad", ""), ("ill", ",ok"))
    ]
    prompts += [f"slow [[fault:{way}]]" for way in SLOW] + [f"well {n}" for n in range(40)]
    with FaultServer() as server:
        manifest = sample(config(tmp_path, server.url, prompts, max_consecutive_failures=0))
    assert manifest is not None
    rows = rows_of(tmp_path / "run")
    assert len(rows) == len({r["row_id"] for r in rows}) == 2 * len(prompts)
    assert sum(manifest.counts.values()) == len(rows)
    by_prompt: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        by_prompt.setdefault(row["prompt"][0]["content"], []).append(row)
    for prompt, group in by_prompt.items():
        statuses = Counter(str(r.get("status", "kept")) for r in group)
        if prompt.startswith("well"):
            assert statuses == {"kept": 2}, prompt
        if prompt.startswith("slow"):
            assert statuses == {"failed": 2}, prompt
    kept = [r["completion"][0]["content"] for r in rows if "status" not in r]
    assert all(text.strip() and text != "None" for text in kept)
    assert all(r["reason"] for r in rows if "status" in r)
    assert {"kept", "failed", "truncated", "refused", "empty"} <= manifest.counts.keys()


def test_a_server_that_comes_back_heals_what_failed(tmp_path: Path) -> None:
    prompts = ["[[fault:ok]]", *(f"question {n}" for n in range(11))]
    with FaultServer(fault="500") as server:
        settings = config(tmp_path, server.url, prompts, deadline=1.0, max_consecutive_failures=0)
        manifest = sample(settings)
        assert manifest is not None
        assert manifest.counts == {"kept": 2, "failed": 22}
        server.fault = "ok"
        healed = sample(settings)
    assert healed is not None
    assert healed.counts == {"kept": 24}


def test_a_server_that_is_down_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PairwrightError, match=r"http://127\.0\.0\.1:9"):
        sample(config(tmp_path, "http://127.0.0.1:9/v1", ["anybody?"]))
    assert not (tmp_path / "run").exists()


def test_a_wrong_key_stops_the_run_at_once_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "sk-canary-2718281828"
    monkeypatch.setenv("OPENAI_API_KEY", canary)
    prompts = [f"question {n}" for n in range(200)]
    with (
        FaultServer(fault="echo=401") as server,
        pytest.raises(PairwrightError, match="OPENAI_API_KEY") as caught,
    ):
        sample(config(tmp_path, server.url, prompts, max_concurrency=4))
    assert len(server.seen) <= 4
    assert canary not in str(caught.value)
    assert not (tmp_path / "run").exists()
    with FaultServer() as server:
        sample(config(tmp_path, server.url, [f"[[fault:echo=400]] {n}" for n in range(3)]))
    written = [p for p in (tmp_path / "run").rglob("*") if p.is_file()]
    assert len(written) > 4
    assert not [p for p in written if canary.encode() in p.read_bytes()]


def test_a_server_killed_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """The process of the server dies and another takes its port; what was finished stays finished."""
    log = tmp_path / "seen.jsonl"
    serve = [sys.executable, str(SUPPORT / "faultserver.py"), "--latency", "0.05"]

    def start(port: int) -> tuple[subprocess.Popen[str], str]:
        command = [*serve, "--port", str(port), "--log", str(log)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    server, url = start(0)
    port = int(url.split(":")[2].split("/")[0])
    prompts = [f"question {n}" for n in range(300)]
    settings = config(tmp_path, url, prompts, deadline=20.0, max_concurrency=16)
    command = [sys.executable, "-m", "pairwright", "sample", "--input", settings.input]
    command += ["--policy", settings.policy, "--n", "2", "--deadline", "20", "--max_concurrency", "16"]
    command += ["--shard_size", "40", "--out", settings.out]
    run = subprocess.Popen(command)
    while not log.exists() or len(log.read_text().splitlines()) < 60:
        assert run.poll() is None
    server.kill()
    server.wait()
    server, _ = start(port)
    assert run.wait(timeout=120) == 0
    server.kill()
    server.wait()
    assert load_manifest(Path(settings.out)).counts == {"kept": 600}
    asked = Counter(
        json.dumps(json.loads(line)["body"], sort_keys=True) for line in log.read_text().splitlines()
    )
    assert len(asked) == 600
    assert sum(asked.values()) <= 600 + 2 * 16


def test_no_number_that_is_not_finite_reaches_a_row(tmp_path: Path) -> None:
    prompts = [f"[[fault:{way}]]" for way in BODIES]
    with FaultServer() as server:
        sample(config(tmp_path, server.url, prompts, max_consecutive_failures=0))
    for row in rows_of(tmp_path / "run"):
        assert all(math.isfinite(v) for v in row.values() if isinstance(v, float))
