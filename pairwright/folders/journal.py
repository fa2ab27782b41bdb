"""The journal: finished completions, stored before anything else is done with them.

The journal is written ahead of the shards, so a kill costs at most what was in flight, and it is a cache
for every later run into the same folder: a repeated request is answered from here.
"""

import hashlib
import logging
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pairwright.errors import PairwrightError
from pairwright.folders.durable import TEMPORARY, sync_folder
from pairwright.records import Completion, Finished

log = logging.getLogger(__name__)

JOURNAL = "journal.sqlite"

_MENDING = "make room and run the same command again"
_OF_THE_DISK = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}

_DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged file raises; Python cannot decode an error that quotes a damaged schema."""

_CREATE = "CREATE TABLE IF NOT EXISTS completions (key TEXT PRIMARY KEY, body TEXT, digest BLOB)"
"""With row numbers: bodies are appended, and only the index of keys is written all over."""

Entry = tuple[bytes, bytes, bytes]
"""Key, completion as JSON, and digest of both."""

_ORDERS = ("rowid ASC", "rowid DESC", "key ASC", "key DESC")
_FIND = "SELECT body, digest FROM completions WHERE key = ?"


class Journal:
    """Completions by request key, in one SQLite file (write-ahead log, a sync for each commit).

    `behind` is a journal that nobody writes to; what is not here is looked for there.
    """

    def __init__(self, path: Path, behind: Path | None = None) -> None:
        self.path = path
        self._behind = None
        if behind is not None and behind.exists():
            uri = f"file:{quote(str(behind))}?immutable=1"
            self._behind = _as_bytes(sqlite3.connect(uri, uri=True))
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _opened(path)
        except sqlite3.Error as error:
            raise PairwrightError(f"{path}: {error}; nothing is lost: {_MENDING}") from error

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def get(self, key: str) -> Completion | None:
        """Return the finished completion of a request, or None. A damaged entry counts as missing."""
        try:
            found = self._db.execute(_FIND, (key,)).fetchone()
        except _DAMAGE as error:
            self._mend(error)
            return self.get(key)
        if found is None and self._behind is not None:
            found = self._older(key)
        if found is None or not _is_sound(key.encode(), *found):
            return None
        return Completion.model_validate_json(found[0])

    def _older(self, key: str) -> tuple[bytes, bytes] | None:
        assert self._behind is not None
        try:
            found: tuple[bytes, bytes] | None = self._behind.execute(_FIND, (key,)).fetchone()
        except _DAMAGE:
            return None
        return found

    def take_in(self, other: "Journal") -> None:
        """Copy all entries of another journal into this one."""
        try:
            with self._db:
                rows = ((k.decode(), b.decode(), d) for k, b, d in other._sound())
                self._db.executemany("INSERT OR IGNORE INTO completions VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise PairwrightError(
                f"{self.path}: {error} while taking in {other.path}; nothing is lost: {_MENDING}"
            ) from error

    def add(self, finished: Iterable[Finished]) -> None:
        """Store completions durably. Failures are left out: they are to be tried again."""
        rows = []
        for key, completion in finished:
            if completion.failure is None:
                body = completion.model_dump_json()
                rows.append((key, body, _digest(key.encode(), body.encode())))
        if not rows:
            return
        try:
            self._write(rows)
        except _DAMAGE as error:
            self._mend(error)
            self._write(rows)

    def _write(self, rows: list[tuple[str, str, bytes]]) -> None:
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO completions VALUES (?, ?, ?)", rows)

    def _mend(self, error: Exception) -> None:
        """Go on in a new file with what a damaged one still gives. Raises where the disk is at fault."""
        if _is_of_the_disk(error):
            raise PairwrightError(f"{self.path}: {error}; nothing is lost: {_MENDING}") from error
        self._db.close()
        self._db = _rebuilt(self.path)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM completions").fetchone()[0])

    def completions(self) -> Iterator[Completion]:
        """Yield all finished completions, in no particular order."""
        for _, body, _ in self._sound():
            yield Completion.model_validate_json(body)

    def keys(self) -> Iterator[str]:
        """Yield the keys of all finished completions."""
        for key, _, _ in self._sound():
            yield key.decode()

    def _sound(self) -> Iterator[Entry]:
        """All entries that are as they were written; some twice, if damage shows on the way."""
        try:
            for entry in self._db.execute("SELECT key, body, digest FROM completions"):
                if _is_sound(*entry):
                    yield entry
        except _DAMAGE as error:
            self._mend(error)
            yield from self._sound()

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        self._db.close()
        if self._behind is not None:
            self._behind.close()


def _connect(path: Path) -> sqlite3.Connection:
    db = _as_bytes(sqlite3.connect(path, timeout=30))
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(_CREATE)
    db.commit()
    return db


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except _DAMAGE as error:
        if _is_of_the_disk(error):
            raise
        return _rebuilt(path)


def _is_of_the_disk(error: Exception) -> bool:
    """Whether an error is no fault of the file: a full disk, a failing one, or somebody else's lock."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _OF_THE_DISK


def _rebuilt(path: Path) -> sqlite3.Connection:
    """A new journal with every entry of a damaged one that can still be read; that one is put aside.

    The new one takes the place of the old one in one step, when it is whole.
    """
    new, aside = path.with_name(f"{TEMPORARY}{path.name}"), path.with_name(f"{path.name}.damaged")
    new.unlink(missing_ok=True)
    db, saved = _connect(new), 0
    for key, body, digest in _readable(path):
        entry = (key.decode(), body.decode(), digest)
        saved += db.execute("INSERT OR IGNORE INTO completions VALUES (?, ?, ?)", entry).rowcount
    db.commit()
    db.close()
    shutil.copyfile(path, aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.replace(path)
    sync_folder(path.parent)
    log.warning("%s was damaged: %d completions saved from it, the rest is asked again", path, saved)
    return _connect(path)


def _readable(path: Path) -> Iterator[Entry]:
    """What a damaged file still yields; SQLite stops at the first bad page in each direction.

    With its write-ahead log, and without; in the order of the rows, which older journals do not have,
    and by their index.
    """
    for how, order in product(("mode=ro", "immutable=1"), _ORDERS):
        try:
            with closing(_as_bytes(sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True))) as db:
                for row in db.execute(f"SELECT key, body, digest FROM completions ORDER BY {order}"):
                    if _is_sound(*row):
                        yield row
        except _DAMAGE:
            continue


def _as_bytes(db: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, giving text as bytes: of a damaged file it need not be UTF-8."""
    db.text_factory = bytes
    return db


def _is_sound(key: Any, body: Any, digest: Any) -> bool:
    """Whether an entry is as it was written. Damage can change even the types of what is read."""
    return isinstance(key, bytes) and isinstance(body, bytes) and digest == _digest(key, body)


def _digest(key: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(key + body, digest_size=8).digest()
