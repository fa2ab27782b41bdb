"""JSON files of rows: one object a line, or one array of objects."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pairwright.errors import UsageError
from pairwright.folders.durable import sha256_file
from pairwright.inputs.messages import kind_of
from pairwright.inputs.source import Record, Source
from pairwright.inputs.unpacked import CR_ALONE, beginning, lines_of

_WRAPPED = re.compile(
    rb'\{(?:\s*"[^"]*"\s*:\s*(?:"[^"]*"|[\w.-]+)\s*,)*'
    rb'\s*"(data|rows|examples|instances|items|records|train|samples)"\s*:\s*\[\s*[{\]]'
)
"""An object that holds its rows as a list, behind at most a few words about them."""
_ENDLESS = "holds a whole number of thousands of digits; write it as text"
_KEY = re.compile(rb'\s*"(?:[^"\\]|\\.)*"\s*:')


class _TwiceError(Exception):
    """An object with one key twice: readers of JSON keep the last without a word."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return found


_READER = json.JSONDecoder(object_pairs_hook=_each_once)


class _JsonFile(Source):
    """A file of JSON objects."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sha256(self) -> str:
        """Hash of the file's bytes."""
        return sha256_file(self._path)


class JsonLines(_JsonFile):
    """A file with one JSON object a line. Blank lines are skipped."""

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield every line: a record, or what is wrong with it."""
        for number, line in enumerate(lines_of(self._path), start=1):
            if text := line.removeprefix(codecs.BOM_UTF8).rstrip():  # one a file, where several were joined
                where = f"{self._path} line {number}"
                try:
                    yield where, _record(text, where)
                except UsageError as error:
                    yield where, error


def _record(line: bytes, where: str) -> Record:
    try:
        record = _READER.decode(line.decode())
    except _TwiceError as error:
        raise UsageError(f"{where}: has the key `{error}` twice, and one would be lost; keep one") from None
    except UnicodeDecodeError as error:
        wrong = f"byte {error.start + 1} of it is 0x{line[error.start]:02x}"
        raise UsageError(f"{where}: is not UTF-8 text ({wrong})") from None
    except json.JSONDecodeError as error:
        if b"\0" in line:
            raise UsageError(
                f"{where}: holds NUL bytes, as UTF-16 without its mark does, or what a crash left; save it "
                "as UTF-8, or remove the line"
            ) from None
        if b"\r" in line:
            raise UsageError(f"{where}: {CR_ALONE}") from None
        raise UsageError(
            f"{where}: broken JSON ({error.msg} at column {error.colno}); "
            "every line must be one JSON object"
        ) from None
    except RecursionError:
        raise UsageError(f"{where}: JSON nested too deep") from None
    except ValueError:
        raise UsageError(f"{where}: {_ENDLESS}") from None
    return _object(record, where, "line", halves=b"\\ud" in line.lower())


class JsonArray(_JsonFile):
    """A file that is one JSON array of objects."""

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield every item of the array: a record, or what is wrong with it."""
        raw = b"".join(lines_of(self._path))
        halves = b"\\ud" in raw.lower()
        for number, item in enumerate(self._items(raw), start=1):
            where = f"{self._path} item {number}"
            try:
                yield where, _object(item, where, "item", halves=halves)
            except UsageError as error:
                yield where, error

    def _items(self, raw: bytes) -> list[Any]:
        try:
            found: list[Any] = _READER.decode(raw.decode())
        except _TwiceError as error:
            raise UsageError(
                f"{self._path}: an object has the key `{error}` twice, and one would be lost; keep one"
            ) from None
        except UnicodeDecodeError as error:
            begins = raw.rfind(b"\n", 0, error.start) + 1
            line, byte = raw.count(b"\n", 0, begins) + 1, error.start - begins + 1
            wrong = f"byte {byte} of it is 0x{raw[error.start]:02x}"
            raise UsageError(f"{self._path} line {line}: is not UTF-8 text ({wrong})") from None
        except json.JSONDecodeError as error:
            raise UsageError(
                f"{self._path} line {error.lineno}: broken JSON array ({error.msg} at column {error.colno})"
            ) from None
        except RecursionError:
            raise UsageError(f"{self._path}: JSON nested too deep") from None
        except ValueError:
            raise UsageError(f"{self._path}: {_ENDLESS}") from None
        return found


def json_file(path: Path) -> JsonLines | JsonArray:
    """Return the rows of a JSON file. Raises `UsageError` for one object that is spread over lines."""
    begins = beginning(path, 1 << 16).lstrip()
    first, _, more = begins.partition(b"\n")
    if begins.startswith(b"[") and not (more.strip() and _is_json(first)):
        return JsonArray(path)
    if wrapped := _WRAPPED.match(begins):
        key = wrapped[1].decode()
        raise UsageError(
            f"{path}: is one object that holds its rows as `{key}`; give that list alone, such as "
            f"`jq .{key} {path.name}` writes it"
        )
    if first.strip() == b"{" and _KEY.match(more):
        raise UsageError(
            f"{path} line 1: one JSON object over several lines; write every row as an object on a line "
            "of its own, or all rows as one array"
        )
    return JsonLines(path)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _object(value: Any, where: str, one: str, *, halves: bool) -> Record:
    if not isinstance(value, dict):
        asked = f'every {one} must look like {{"prompt": …}}'
        raise UsageError(f"{where}: is {kind_of(value)}, not an object; {asked}")
    found: Record = _sanitized(value) if halves else value
    return found


def _sanitized(value: Any) -> Any:
    """JSON can spell half of a surrogate pair, which is no text: U+FFFD takes its place."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_sanitized(v) for v in value]
    if isinstance(value, dict):
        return {_sanitized(k): _sanitized(v) for k, v in value.items()}
    return value
