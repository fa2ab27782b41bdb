"""Files as lines of UTF-8, whatever their compression; files that hold no rows are refused."""

import bz2
import codecs
import gzip
import io
import lzma
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from pairwright.errors import UsageError

STANDARD_INPUT = ("-", "/dev/stdin")
PIPED = "standard input"
"""The name of the file that holds what was piped."""
CR_ALONE = "its lines end with a carriage return alone; save it with line feeds"
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bz2",
}
_TABLES = (b"PAR1", b"ARROW1")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FOREIGN = {
    b"PK\x03\x04": "is a ZIP archive (or a workbook); unpack it, or save its rows as JSONL or Parquet",
    b"Obj\x01": "is an Avro file; save it as JSONL or Parquet",
    b"SQLite format 3": "is an SQLite database; save its rows as JSONL or Parquet",
    b"FEA1": "is a Feather file of the first version; save it as Parquet",
    b"version https://git-lfs": "is a pointer of Git LFS and not the file itself; run `git lfs pull`",
}
_BROKEN = (EOFError, OSError, lzma.LZMAError, pa.ArrowException, UnicodeError)
"""What damage of packed files, and text that is not what its mark says, raise."""


def refuse_foreign_form(path: Path) -> None:
    """Raise `UsageError` for a file whose first bytes show a format that cannot be read as rows."""
    begins = beginning(path, 64)
    for magic, what in _FOREIGN.items():
        if begins.startswith(magic):
            raise UsageError(f"{path}: {what}")


def unpacked_table(path: Path) -> Path:
    """Return the file, or the table (Parquet, Arrow) packed in it, which is kept until the process ends."""
    with path.open("rb") as file:
        if not file.read(8).startswith(tuple(_PACKED)):
            return path
    if not beginning(path, 8).startswith(_TABLES):
        return path
    told = path.stat()
    return _table_of(path, told.st_mtime_ns, told.st_size)


@cache
def _table_of(path: Path, changed: int, size: int) -> Path:
    found = _kept_folder() / path.stem
    with found.open("wb") as to:
        try:
            with _opened(path) as file:
                shutil.copyfileobj(file, to)
        except _BROKEN as error:
            raise UsageError(f"{path}: damaged ({_reason(error)})") from None
    return found


def _kept_folder() -> Path:
    """A folder of our own, removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="pairwright-")
    _KEPT.append(folder)
    return Path(folder.name)


def beginning(path: Path, size: int) -> bytes:
    """Return the first bytes of a file's text. Raises `UsageError` where it cannot be unpacked."""
    try:
        with _opened(path) as file:
            return file.read(size)
    except _BROKEN as error:
        raise _damaged(path, 0, error) from None


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file as UTF-8, each with its end, without a mark of byte order.

    UTF-8 is not checked here. Raises `UsageError` naming the line behind which a file is damaged.
    """
    number = 0
    try:
        with _opened(path) as file:
            for line in file:
                number += 1
                yield line
    except _BROKEN as error:
        raise _damaged(path, number, error) from None


def _unpacked(path: Path) -> io.BufferedReader:
    """The bytes of a file, without what it is packed with."""
    with path.open("rb") as file:
        begins = file.read(8)
    packing = next((name for magic, name in _PACKED.items() if begins.startswith(magic)), None)
    match packing:
        case "gzip":
            plain: BinaryIO = cast(BinaryIO, gzip.open(path))  # noqa: SIM115  # whoever asks closes it
        case "bz2":
            plain = cast(BinaryIO, bz2.open(path))  # noqa: SIM115
        case "xz":
            plain = cast(BinaryIO, lzma.open(path))  # noqa: SIM115
        case "zstd" | "lz4":
            plain = cast(BinaryIO, io.BufferedReader(pa.input_stream(path, compression=packing)))
        case _:
            plain = path.open("rb")
    return cast(
        io.BufferedReader, plain if hasattr(plain, "peek") else io.BufferedReader(cast(io.RawIOBase, plain))
    )


def _opened(path: Path) -> BinaryIO:
    """The text of a file as bytes of UTF-8."""
    buffered = _unpacked(path)
    mark = buffered.peek(3)
    if mark.startswith(_UTF_16):
        return cast(BinaryIO, _Recoded(io.TextIOWrapper(buffered, encoding="utf-16", newline="\n")))
    if mark.startswith(codecs.BOM_UTF8):
        buffered.read(len(codecs.BOM_UTF8))
    return buffered


class _Recoded(io.RawIOBase):
    """Text of another encoding as bytes of UTF-8, which end a line where the text does."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def __next__(self) -> bytes:
        if line := self._text.readline():
            return line.encode("utf-8", "replace")
        raise StopIteration

    def read(self, size: int = -1) -> bytes:
        """At most that many characters of the text."""
        return self._text.read(size).encode("utf-8", "replace")

    def close(self) -> None:
        """Close the file behind it."""
        self._text.close()
        super().close()


def _damaged(path: Path, line: int, error: Exception) -> UsageError:
    if isinstance(error, OSError) and error.errno is not None:
        return UsageError(f"{path}: cannot be read ({error.strerror})")
    if isinstance(error, UnicodeError):
        return UsageError(f"{path} {_not_utf_16(path)}; save it as UTF-8")
    return UsageError(f"{path}: damaged after line {line} ({_reason(error)})")


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _not_utf_16(path: Path) -> str:
    """Where text that is marked as UTF-16 is invalid, found in the whole file."""
    with _unpacked(path) as file:
        raw = file.read()
    try:
        raw.decode("utf-16")
    except UnicodeDecodeError as error:
        line = raw[: error.start].decode("utf-16", "replace").count("\n") + 1
        return f"line {line}: is not UTF-16 text (byte {error.start + 1} of the file)"
    return "is not UTF-16 text"


@cache
def standard_input() -> Path:
    """Return a file with what is piped into this process, kept until it ends: rows are read more than once.

    Raises `UsageError` when nothing is piped.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("-: standard input is a terminal; pipe rows into it, or name a file")
    path = _kept_folder() / PIPED
    with path.open("wb") as file:
        while block := sys.stdin.buffer.read(1 << 20):
            file.write(block)
    return path


_KEPT: list[tempfile.TemporaryDirectory[str]] = []
