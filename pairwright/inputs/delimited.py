"""Tables as text: CSV and TSV with a header line."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pairwright.errors import UsageError
from pairwright.folders.durable import sha256_file
from pairwright.inputs.source import Record, Source
from pairwright.inputs.unpacked import CR_ALONE, PIPED, beginning, lines_of

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_CALLED = {",": "commas", "\t": "tabs", ";": "semicolons"}
_SEPARATING = frozenset("\t,;|")
_NUMBERS = frozenset({"score", "margin", "weight", "rank"})
"""Columns that hold numbers wherever they stand; all others hold text, also where it looks like one."""
_MESSAGES = ({"role", "content"}, {"from", "value"})


def delimiter_of(path: Path) -> str | None:
    """Return the delimiter of a table, by the endings of its name; None for a file that is no table.

    Where commas are decimal points, tables have semicolons in their place, which their first line tells.
    What is piped has no ending: there a first line that is no JSON, and has such marks, tells it.
    """
    if path.name == PIPED:
        names = beginning(path, 1 << 16).partition(b"\n")[0].lstrip()
        if names.startswith((b"{", b"[")):
            return None
        return next((mark for mark in ("\t", ",", ";") if mark.encode() in names), None)
    named = next((DELIMITERS[ending] for ending in path.suffixes if ending in DELIMITERS), None)
    if named == ",":
        names = beginning(path, 1 << 16).partition(b"\n")[0]
        return ";" if b";" in names and b"," not in names else ","
    return named


class DelimitedFile(Source):
    """A table whose first line names its columns.

    Cells are text, empty ones nothing; but for columns of numbers, and lists of messages in JSON.
    """

    def __init__(self, path: Path, delimiter: str) -> None:
        self._path = path
        self._delimiter = delimiter

    def sha256(self) -> str:
        """Return the hash of the file's bytes."""
        return sha256_file(self._path)

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield every row under the names; a row of more or fewer fields is a `UsageError`."""
        csv.field_size_limit(sys.maxsize)
        rows = csv.reader(self._text(), delimiter=self._delimiter, strict=True)
        try:
            header = next(filter(None, rows), None)
            if header is None:
                return
            names = self._names(header)
            for fields in rows:
                where = f"{self._path} line {rows.line_num}"
                if not fields:
                    continue
                if len(fields) != len(names):
                    yield where, self._ragged(where, len(fields), len(names))
                    continue
                if self._delimiter == "\t" and any("\t" in f and "\n" in f for f in fields):
                    yield where, _swallowed(where)
                    continue
                try:
                    found = {n: _value(n, f, where) for n, f in zip(names, fields, strict=True)}
                except UsageError as error:
                    yield where, error
                else:
                    yield where, found
        except csv.Error as error:
            if "universal-newline" in str(error):
                raise UsageError(f"{self._path}: {CR_ALONE}") from None
            raise UsageError(
                f'{self._path} line {rows.line_num}: broken table ({error}); quote a field as "…" and '
                'double the quotation marks in it ("")'
            ) from None

    def _text(self) -> Iterator[str]:
        for number, line in enumerate(lines_of(self._path), start=1):
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise UsageError(
                    f"{self._path} line {number}: is not UTF-8 text (byte {error.start + 1} of the line is "
                    f"0x{line[error.start]:02x}); save it as UTF-8"
                ) from None

    def _names(self, header: list[str]) -> list[str]:
        names = [name.strip() for name in header]
        if len(names) == 1 and (marks := set(names[0]) & _SEPARATING):
            parts = _CALLED[self._delimiter]
            raise UsageError(
                f"{self._path} line 1: names one column, with {min(marks)!r} in it; columns are separated "
                f"by {parts}"
            )
        if names[0].lower() == "sep=":
            raise UsageError(f"{self._path} line 1: is a note to Excel and names no columns; remove it")
        if not names[0]:
            raise UsageError(
                f"{self._path} line 1: the first column has no name; if it is pandas' index, save without "
                "(`index=False`)"
            )
        wrong = next((n for n in names if not n or names.count(n) > 1), None)
        if wrong is not None:
            what = f"two columns are named `{wrong}`" if wrong else "a column has no name"
            raise UsageError(f"{self._path} line 1: {what}; the first line names every column")
        return names

    def _ragged(self, where: str, found: int, wanted: int) -> UsageError:
        parts = _CALLED[self._delimiter]
        return UsageError(
            f"{where}: {found} fields, and line 1 names {wanted} columns; quote fields that hold {parts}"
        )


def _swallowed(where: str) -> UsageError:
    return UsageError(
        f"{where}: a field holds tabs and line breaks, as where a quotation mark opens it "
        'and another closes it rows later; quote such a field, and double the marks in it ("")'
    )


def _value(name: str, field: str, where: str) -> Any:
    if not field:
        return None
    if name in _NUMBERS:
        try:
            return float(field)
        except ValueError:
            raise UsageError(f"{where}: `{name}` must be a number, and is {field!r}") from None
    return _messages(field) or field


def _messages(field: str) -> list[dict[str, Any]] | None:
    """The messages that a cell holds as JSON; None for any other text."""
    if not field.startswith("[{"):
        return None
    try:
        value = json.loads(field)
    except ValueError:
        return None
    said = isinstance(value, list) and all(
        isinstance(item, dict) and any(form <= item.keys() for form in _MESSAGES) for item in value
    )
    return value if said else None
