"""Run folders: what is committed, what is detected, what is refused."""

import json
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs_on_disk import files_of, revise_config, rows_of

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import require_space, write_durably
from pairwright.folders.journal import JOURNAL
from pairwright.folders.lock import FolderLock
from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import read_tables, shard_file
from revise import revise


@pytest.fixture
def run(tmp_path: Path) -> Path:
    revise(revise_config(tmp_path))
    return tmp_path / "run"


def test_every_input_row_is_kept_or_dropped_once_with_its_status(run: Path) -> None:
    rows = rows_of(run)
    assert len(rows) == len({r["row_id"] for r in rows}) == 60
    statuses = Counter(r.get("status", "kept") for r in rows)
    assert statuses == {"kept": 42, "unparsed": 6, "no_change": 6, "truncated": 6}
    assert statuses == load_manifest(run).counts
    assert all(r["reason"] for r in rows if "status" in r)


def test_shards_have_one_schema_whatever_their_rows(run: Path) -> None:
    schemas = {pq.read_schema(p).remove_metadata() for p in (run / "data").iterdir()}
    [schema] = schemas
    assert not any(pa.types.is_null(f.type) or pa.types.is_large_list(f.type) for f in schema)
    assert schema.field("tag").type == pa.int64()


def test_pages_carry_checksums(run: Path) -> None:
    path = shard_file(run, "data", 0)
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(OSError, match=r"CRC|checksum"):
        pq.read_table(path, page_checksum_verification=True)


def test_reading_leaves_no_thread_that_could_abort_the_process_at_its_end(run: Path) -> None:
    """Asked of a process of its own, in which nothing else has started threads."""
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom pairwright.folders.shards import read_tables\n"
        "tasks = Path('/proc/self/task')\nbefore = set(os.listdir(tasks))\n"
        "assert sum(table.num_rows for table in read_tables(Path(sys.argv[1])))\n"
        "print(len(set(os.listdir(tasks)) - before))"
    )
    command = [sys.executable, "-c", script, str(run)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "0\n"


def test_200_flipped_bits_are_all_detected_and_mended(tmp_path: Path) -> None:
    config = revise_config(tmp_path)
    revise(config)
    run = tmp_path / "run"
    whole = files_of(run)
    rng = random.Random(0)
    shards = sorted(run.glob("d*/*.parquet"))
    for trial in range(200):
        path = rng.choice(shards)
        data = bytearray(path.read_bytes())
        bit = rng.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        with pytest.raises(PairwrightError, match=path.name):
            rows_of(run)
        if trial % 20 == 0:
            revise(config)
            assert files_of(run) == whole
        else:
            data[bit // 8] ^= 1 << bit % 8
            path.write_bytes(data)
    assert (run / "damaged").is_dir()


def test_truncated_and_missing_shards_are_named_and_made_again(tmp_path: Path) -> None:
    config = revise_config(tmp_path)
    revise(config)
    run = tmp_path / "run"
    whole = files_of(run)
    for spoil in (lambda p: p.write_bytes(p.read_bytes()[:-9]), Path.unlink, lambda p: p.write_bytes(b"")):
        for path in (shard_file(run, "data", 1), shard_file(run, "dropped", 2)):
            spoil(path)
            with pytest.raises(PairwrightError, match=path.name):
                rows_of(run)
            revise(config)
            assert files_of(run) == whole


def test_flips_in_the_manifest_are_detected(run: Path) -> None:
    path = run / "run.json"
    whole = path.read_bytes()
    rng = random.Random(1)
    harmless = 0
    for _ in range(200):
        data = bytearray(whole)
        bit = rng.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            for part in ("data", "dropped"):
                list(read_tables(run, part))
        except PairwrightError:
            continue
        harmless += json.loads(bytes(data)) != json.loads(whole)
    assert harmless == 0


def test_a_flipped_journal_entry_is_asked_again_and_never_used(tmp_path: Path) -> None:
    config = revise_config(tmp_path)
    revise(config)
    run = tmp_path / "run"
    whole = files_of(run)
    journal = bytearray((run / "journal.sqlite").read_bytes())
    at = journal.index(b"easy to find: it is 12,")
    journal[at] ^= 1
    (run / "journal.sqlite").write_bytes(journal)
    shard_file(run, "data", 0).unlink()
    revise(config)
    assert files_of(run) == whole


def test_a_torn_journal_is_rebuilt_from_what_can_be_read(tmp_path: Path) -> None:
    config = revise_config(tmp_path)
    revise(config)
    run = tmp_path / "run"
    whole = files_of(run)
    journal = (run / "journal.sqlite").read_bytes()
    (run / "journal.sqlite").write_bytes(b"not a database" * 100 + journal[1400 : len(journal) // 2])
    shard_file(run, "data", 0).unlink()
    revise(config)
    assert files_of(run) == whole
    assert (run / "journal.sqlite.damaged").exists()


def test_a_finished_run_is_not_worked_on_again(tmp_path: Path) -> None:
    config = revise_config(tmp_path)
    revise(config)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").glob("d*/*.parquet")}
    manifest = revise(config)
    assert manifest is not None
    assert manifest.complete
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "run").glob("d*/*.parquet")} == before


def test_another_configuration_is_refused_naming_the_field(tmp_path: Path) -> None:
    revise(revise_config(tmp_path))
    before = files_of(tmp_path / "run")
    for settings, field in (
        ({"temperature": 0.1}, "temperature"),
        ({"direction": "worsen"}, "direction"),
        ({"limit": 5}, "limit"),
        ({"template": "worsen"}, "template"),
    ):
        with pytest.raises(UsageError, match=field):
            revise(revise_config(tmp_path, **settings))
    longer = revise_config(tmp_path)
    with (tmp_path / "answers.jsonl").open("a") as file:
        file.write('{"prompt": "One more?", "response": "Yes."}\n')
    with pytest.raises(UsageError, match="input"):
        revise(longer)
    assert files_of(tmp_path / "run") == before


def test_settings_of_speed_are_not_another_configuration(tmp_path: Path) -> None:
    revise(revise_config(tmp_path))
    before = files_of(tmp_path / "run")
    revise(revise_config(tmp_path, shard_size=7, batch_size=3, deadline=9.0, max_concurrency=1))
    assert files_of(tmp_path / "run") == before


def test_fresh_starts_over_and_leaves_no_old_shard(tmp_path: Path) -> None:
    revise(revise_config(tmp_path))
    revise(revise_config(tmp_path, limit=10, fresh=True))
    assert len(rows_of(tmp_path / "run")) == 10
    assert len(files_of(tmp_path / "run")) == 2


@pytest.mark.parametrize("inside", ["data", "data/*.parquet", "*/train-?????.parquet", "**/*.parquet"])
def test_fresh_does_not_throw_away_the_run_that_it_reads(tmp_path: Path, inside: str) -> None:
    config = revise_config(tmp_path)
    revise(config)
    before = files_of(Path(config.out))
    again = config.model_copy(update={"input": f"{config.out}/{inside}", "fresh": True})
    named = re.escape(inside)
    with pytest.raises(UsageError, match=rf"--fresh would throw away what `input` \(.*/{named}\) reads"):
        revise(again)
    assert files_of(Path(config.out)) == before


@pytest.mark.parametrize("journal", [True, False])
def test_what_a_fresh_start_pays_again_is_said(tmp_path: Path, journal: bool) -> None:
    config = revise_config(tmp_path)
    revise(config)
    if not journal:
        (Path(config.out) / JOURNAL).unlink()
    said = "finished completions are used again" if journal else "from nothing; it has no journal"
    with pytest.raises(UsageError, match=rf"start this one over with --fresh \({said}\)"):
        revise(config.model_copy(update={"limit": 10}))


def test_foreign_folders_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        revise(revise_config(tmp_path, out=str(tmp_path / "mine")))
    with pytest.raises(UsageError, match="is a file"):
        revise(revise_config(tmp_path, out=str(tmp_path / "mine" / "thesis.txt")))
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_one_writer_a_folder(tmp_path: Path) -> None:
    config = revise_config(tmp_path)
    with FolderLock(tmp_path / "run"), pytest.raises(PairwrightError, match="another process"):
        revise(config)
    revise(config)


def test_a_full_disk_is_one_sentence_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PairwrightError, match="not enough disk"):
        require_space(tmp_path / "not" / "there", 2**60)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_durably(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PairwrightError, match="No space left on device"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_run_that_was_killed_as_it_began_is_no_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in (".lock", ".tmp-123-run.json", "journal.sqlite-wal"):
        (tmp_path / "run" / name).write_bytes(b"")
    revise(revise_config(tmp_path))
    assert not list((tmp_path / "run").glob(".tmp-*"))
