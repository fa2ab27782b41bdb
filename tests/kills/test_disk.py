"""A disk that refuses: at every write, flush and rename in turn, and when it is full."""

import errno
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs_on_disk import as_flags, files_of, revise_config, write_jsonl

from pairwright.errors import PairwrightError
from pairwright.folders.durable import temporary_for
from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import shard_file
from revise import revise


class Failing:
    """Stands before functions of the operating system, and makes the k-th call of any of them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.code, self.calls = -1, errno.EIO, 0
        monkeypatch.setattr("os.fsync", self._before(os.fsync))
        monkeypatch.setattr("os.open", self._before(os.open))
        monkeypatch.setattr(Path, "replace", self._before(Path.replace))
        monkeypatch.setattr(Path, "unlink", self._before(Path.unlink))

    def _before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self.at:
                raise OSError(self.code, os.strerror(self.code), "disk")
            return real(*given, **named)

        return call


def failed_at_calls(folder: Path, monkeypatch: pytest.MonkeyPatch, codes: list[int], step: int) -> int:
    """Let the k-th call of a run fail, for k = 1, 1 + step, …; then run it again. Number of failures."""
    config = revise_config(folder, rows=30)
    revise(config)
    golden, failing, failed = files_of(folder / "run"), Failing(monkeypatch), 0
    for k in range(1, 1000, step):
        own = config.model_copy(update={"out": str(folder / f"at-{k}")})
        failing.at, failing.calls, failing.code = k, 0, codes[k % len(codes)]
        said = ""
        try:
            revise(own)
        except (PairwrightError, OSError) as error:
            said = str(error)
        if failing.calls < k:
            return failed
        failing.at = -1
        failed += bool(said)
        assert not said or os.strerror(failing.code) in said
        revise(own)
        assert files_of(folder / f"at-{k}") == golden, f"call {k}"
    raise AssertionError("there was no end of calls")


def test_no_call_may_fail_and_cost_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed_at_calls(tmp_path, monkeypatch, [errno.ENOSPC, errno.EIO], step=3) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_no_call_may_fail_in_any_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    assert failed_at_calls(tmp_path, monkeypatch, [code], step=1) >= 24


def test_a_disk_that_fills_up_is_one_sentence_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    """No file may grow beyond a limit: the same refusal that SQLite and Parquet get from a full disk."""
    config = revise_config(tmp_path, rows=300, shard_size=100)
    golden = config.model_copy(update={"out": str(tmp_path / "golden")})
    revise(golden)
    command = [sys.executable, "-m", "pairwright", *as_flags(config)]
    for limit in (3_000, 60_000):

        def small(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        done = subprocess.run(command, preexec_fn=small, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("pairwright: ")
    revise(config)
    assert files_of(tmp_path / "run") == files_of(tmp_path / "golden")


def test_flips_in_a_journal_never_reach_a_row(tmp_path: Path) -> None:
    config = revise_config(tmp_path)
    revise(config)
    run, rng = tmp_path / "run", random.Random(3)
    whole, journal = files_of(run), (run / "journal.sqlite").read_bytes()
    for _ in range(12):
        spoilt = bytearray(journal)
        for bit in (rng.randrange(8 * len(spoilt)) for _ in range(20)):
            spoilt[bit // 8] ^= 1 << bit % 8
        for left in run.glob("journal.sqlite*"):
            left.unlink()
        (run / "journal.sqlite").write_bytes(spoilt)
        for shard in range(4):
            shard_file(run, "data", shard).unlink()
        revise(config)
        assert files_of(run) == whole


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = revise_config(tmp_path, rows=60, delay=0.001)
    revise(config.model_copy(update={"out": str(tmp_path / "golden")}))
    rng = random.Random(1)
    monkeypatch.setattr("time.time", lambda: rng.uniform(-3e9, 6e9))
    revise(config)
    assert files_of(tmp_path / "run") == files_of(tmp_path / "golden")
    assert load_manifest(tmp_path / "run").seconds < 60


def test_links_are_replaced_and_never_written_through(tmp_path: Path) -> None:
    """Links laid where a run will write, also at the names it writes aside under, lead nowhere."""
    config, run = revise_config(tmp_path, rows=20), tmp_path / "run"
    revise(config)
    golden = files_of(run)
    victim = tmp_path / "victim"
    victim.write_text("years of work")
    for name in ("data/train-00000.parquet", "stats.json", "README.md", "templates/revise.j2"):
        (run / name).unlink()
        (run / name).symlink_to(victim)
        temporary_for(run / name).symlink_to(victim)
        revise(config)
        assert not (run / name).is_symlink()
        assert victim.read_text() == "years of work"
    assert files_of(run) == golden


HOSTILE = [
    "../../escaped",
    "/etc/escaped",
    "..\\escaped",
    "a\x00b",
    "CON",
    "x" * 300,
    "\u202egpj",
    "~/x",
    "$HOME",
]


def test_text_from_data_never_becomes_a_path(tmp_path: Path) -> None:
    records = [
        {"prompt": text, "response": f"It is {text}, as everybody knows who can count.", "row_id": text}
        | {"prompt_id": text, "source": text, "completion_model": text, "template": text, "shard": text}
        for text in HOSTILE
    ]
    path = write_jsonl(tmp_path / "rows.jsonl", records)
    revise(revise_config(tmp_path, input=str(path)))
    run = tmp_path / "run"
    names = {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()}
    plain = {"run.json", "stats.json", "README.md", "journal.sqlite", ".lock"}
    plain |= {"templates/revise.j2", "templates/revise_retry.j2"}
    assert names - {n for n in names if n.endswith("/train-00000.parquet")} == plain
    assert not list(tmp_path.rglob("*escaped*"))
    rows = [row for part in files_of(run).values() for row in part]
    assert sorted(row["prompt"][0]["content"] for row in rows) == sorted(HOSTILE)
    assert sorted(row["input_row_id"] for row in rows) == sorted(HOSTILE)
