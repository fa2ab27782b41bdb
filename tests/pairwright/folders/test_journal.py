"""The journal of finished completions, by itself: what a damaged file still gives, and older files."""

import sqlite3
from pathlib import Path

import pytest

from pairwright.folders.journal import Journal
from pairwright.records import Completion, Finished, content_hash

PAGE = 4096
OLDER = "CREATE TABLE completions (key TEXT PRIMARY KEY, body TEXT, digest BLOB) WITHOUT ROWID"
"""The table as journals had it at first."""


def finished(count: int) -> list[Finished]:
    return [
        Finished(content_hash(n)[:32], Completion(text=f"{n} " * 100, model="canned")) for n in range(count)
    ]


def spoil_a_page(path: Path) -> bytes:
    """Overwrite the page in the middle of a journal; what stands there then."""
    spoilt = bytearray(path.read_bytes())
    middle = len(spoilt) // PAGE // 2 * PAGE
    spoilt[middle : middle + PAGE] = bytes(range(256)) * (PAGE // 256)
    path.write_bytes(spoilt)
    return bytes(spoilt)


def test_one_bad_page_costs_what_stands_on_it(tmp_path: Path) -> None:
    path, entries = tmp_path / "journal.sqlite", finished(400)
    with Journal(path) as journal:
        journal.add(entries)
    spoilt = spoil_a_page(path)
    with Journal(path) as journal:
        found = {key: journal.get(key) for key, _ in entries}
    kept = [entry for entry in entries if found[entry.key] == entry.completion]
    lost = [key for key, completion in found.items() if completion is None]
    assert len(kept) + len(lost) == 400
    assert 0 < len(lost) <= 12
    assert path.with_name("journal.sqlite.damaged").read_bytes() == spoilt


@pytest.mark.parametrize("damaged", [False, True])
def test_an_older_journal_is_read_and_written_on(tmp_path: Path, damaged: bool) -> None:
    path, entries = tmp_path / "journal.sqlite", finished(60)
    with sqlite3.connect(path) as db:
        db.execute(OLDER)
    db.close()
    with Journal(path) as journal:
        journal.add(entries[:40])
    if damaged:
        spoilt = bytearray(path.read_bytes())
        spoilt[-PAGE:] = b"?" * PAGE
        path.write_bytes(spoilt)
    with Journal(path) as journal:
        journal.add(entries[40:])
        found = [journal.get(key) == completion for key, completion in entries]
    assert all(found[40:])
    assert sum(found) == 60 if not damaged else 40 <= sum(found) < 60


def test_a_damaged_journal_of_a_worker_is_taken_in_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    path, entries = tmp_path / "worker.sqlite", finished(400)
    with Journal(path) as journal:
        journal.add(entries)
    spoil_a_page(path)
    with Journal(path) as theirs, Journal(tmp_path / "journal.sqlite") as journal:
        journal.take_in(theirs)
        assert 388 <= len(journal) < 400
        assert set(journal.keys()) <= {entry.key for entry in entries}
