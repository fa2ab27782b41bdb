"""One writer a folder: a living one is refused at once, what a killed one leaves behind is waited for."""

import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pairwright.errors import PairwrightError
from pairwright.folders.lock import LOCK, FolderLock


def test_a_living_writer_is_named_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    with FolderLock(tmp_path), pytest.raises(PairwrightError, match=r"process \(pid \d+\) is writing"):
        FolderLock(tmp_path).__enter__()
    assert time.monotonic() - begun < 5


def test_what_a_killed_writer_was_starting_is_waited_for(tmp_path: Path) -> None:
    """Its child has the file for a moment: between the fork and the program that it becomes."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with (tmp_path / LOCK).open("w") as held:
        held.write(str(ended.pid))
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        letting_go = threading.Timer(0.2, lambda: fcntl.flock(held, fcntl.LOCK_UN))
        letting_go.start()
        with FolderLock(tmp_path):
            assert (tmp_path / LOCK).read_text() != str(ended.pid)
        letting_go.join()
