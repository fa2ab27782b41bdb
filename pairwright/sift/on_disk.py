"""What waits on disk, in files without a name that are gone with their reader."""

import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate
from typing import IO

from pairwright.errors import PairwrightError


def nameless_file() -> IO[bytes]:
    """Return a new file in `TMPDIR`, for as long as the object that is returned lives."""
    with writing():
        return tempfile.TemporaryFile()


@contextmanager
def writing() -> Iterator[None]:
    """Open a block that writes to such files. Raises `PairwrightError` where that cannot be."""
    try:
        yield
    except OSError as error:
        raise PairwrightError(
            f"{tempfile.gettempdir()}: {error.strerror or error}; rows wait there while others are read: "
            "make room, or set TMPDIR to another folder"
        ) from None


class OnDisk:
    """Pieces of bytes by number. There is no file before it is needed."""

    def __init__(self) -> None:
        self._ends = array("q", [0])

    @cached_property
    def _file(self) -> IO[bytes]:
        return nameless_file()

    def add(self, pieces: Sequence[bytes]) -> range:
        """Add pieces, and return their numbers: the next ones."""
        first = len(self._ends) - 1
        with writing():
            self._file.seek(0, os.SEEK_END)
            self._file.write(b"".join(pieces))
        self._ends.extend(accumulate(map(len, pieces), initial=self._ends.pop()))
        return range(first, first + len(pieces))

    def __getitem__(self, number: int) -> bytes:
        start, end = self._ends[number : number + 2]
        with writing():  # what waits in its buffer is written first
            self._file.seek(start)
        return self._file.read(end - start)


def encoded(text: str) -> bytes:
    """Return a text as UTF-8, with escapes for what that has no bytes for, as names of files may hold."""
    return text.encode("utf-8", "backslashreplace")
