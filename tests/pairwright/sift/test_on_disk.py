"""What waits on disk is read again as it was, or one sentence says why it cannot wait there."""

import errno
import os
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest
from runs_on_disk import rows_of, write_jsonl

from pairwright.cli import run_command
from pairwright.errors import PairwrightError
from pairwright.sift.on_disk import OnDisk, nameless_file


def test_pieces_on_disk_are_read_between_writes() -> None:
    pieces = OnDisk()
    assert pieces.add([b"one", b"", b"three"]) == range(3)
    assert (pieces[2], pieces[0], pieces[1]) == (b"three", b"one", b"")
    assert list(map(pieces.__getitem__, pieces.add([b"four"]))) == [b"four"]
    assert pieces[0] == b"one"


def test_a_full_disk_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    for wait in (nameless_file, lambda: OnDisk().add([b"one"])):
        with pytest.raises(PairwrightError, match=r"No space left on device; rows wait there .* TMPDIR"):
            wait()


def test_a_file_whose_name_is_no_text_is_merged_and_found_finished(tmp_path: Path) -> None:
    rows = tmp_path / os.fsdecode(b"r\xff.jsonl")
    write_jsonl(rows, [{"prompt": "a", "chosen": "b", "rejected": "c"}] * 2)
    for command in ("merge", "dedup"):
        for _ in range(2):
            run_command([command, str(rows), "--out", str(tmp_path / command)])
        reason = rows_of(tmp_path / command)[-1]["reason"]
        assert rf"{tmp_path}/r\udcff.jsonl line 1" in reason
