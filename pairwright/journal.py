"""Finished completions, kept before anything else is done with them.

The journal is written ahead of the shards, so a kill costs at most what was in flight, and it is a
cache for every later run into the same folder: a request that is asked again is answered from here.
"""

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from pairwright.engines.base import Finished
from pairwright.errors import PairwrightError
from pairwright.records import Completion

log = logging.getLogger(__name__)

JOURNAL = "journal.sqlite"

_CREATE = """
CREATE TABLE IF NOT EXISTS completions (key TEXT PRIMARY KEY, body TEXT, digest BLOB) WITHOUT ROWID
"""
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
            self._behind = sqlite3.connect(uri, uri=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _connect(path)
        except sqlite3.DatabaseError:
            self._db = _rebuild(path)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def get(self, key: str) -> Completion | None:
        """The finished completion of a request, or None. A damaged entry is as good as none."""
        try:
            found = self._db.execute(_FIND, (key,)).fetchone()
        except sqlite3.OperationalError as error:
            raise PairwrightError(f"{self.path}: {error}") from error
        except sqlite3.DatabaseError:
            self._db.close()
            self._db = _rebuild(self.path)
            return self.get(key)
        if found is None and self._behind is not None:
            found = self._older(key)
        if found is None or found[1] != _digest(key, found[0]):
            return None
        return Completion.model_validate_json(found[0])

    def _older(self, key: str) -> tuple[str, bytes] | None:
        assert self._behind is not None
        try:
            found: tuple[str, bytes] | None = self._behind.execute(_FIND, (key,)).fetchone()
        except sqlite3.Error:
            return None
        return found

    def take_in(self, other: "Journal") -> None:
        """Make all entries of another journal this one's too."""
        try:
            with self._db:
                rows = other._db.execute("SELECT key, body, digest FROM completions")
                self._db.executemany("INSERT OR IGNORE INTO completions VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise PairwrightError(
                f"{self.path}: {error} while taking in {other.path}; nothing is lost: make room and run "
                "the same command again"
            ) from error

    def add(self, finished: Iterable[Finished]) -> None:
        """Make completions durable. Failures are left out: they are to be tried again."""
        rows = []
        for key, completion in finished:
            if completion.failure is None:
                body = completion.model_dump_json()
                rows.append((key, body, _digest(key, body)))
        if not rows:
            return
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO completions VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise PairwrightError(
                f"{self.path}: {error}; finished work is safe: run the same command again"
            ) from error

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM completions").fetchone()[0])

    def completions(self) -> Iterator[Completion]:
        """Everything that is finished, in no particular order."""
        for key, body, digest in self._db.execute("SELECT key, body, digest FROM completions"):
            if digest == _digest(key, body):
                yield Completion.model_validate_json(body)

    def keys(self) -> Iterator[str]:
        """Keys of everything that is finished."""
        for (key,) in self._db.execute("SELECT key FROM completions"):
            yield key

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        self._db.close()
        if self._behind is not None:
            self._behind.close()


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(_CREATE)
    db.commit()
    return db


def _rebuild(path: Path) -> sqlite3.Connection:
    """Put a damaged journal aside and start a new one with every entry that can still be read."""
    aside = path.with_name(path.name + ".damaged")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    db = _connect(path)
    saved = 0
    for row in _readable(aside):
        db.execute("INSERT OR IGNORE INTO completions VALUES (?, ?, ?)", row)
        saved += 1
    db.commit()
    log.warning("%s was damaged: %d completions saved from it, the rest is asked again", path, saved)
    return db


def _readable(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """What a damaged file still yields; SQLite stops at the first bad page in each direction."""
    for order in ("ASC", "DESC"):
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
                for row in db.execute(f"SELECT key, body, digest FROM completions ORDER BY key {order}"):
                    if row[2] == _digest(row[0], row[1]):
                        yield row
        except (sqlite3.Error, TypeError, AttributeError):
            continue


def _digest(key: str, body: str) -> bytes:
    return hashlib.blake2b(f"{key}{body}".encode(), digest_size=8).digest()
