"""`review.sqlite`: people's decisions about a run's rows, appended and never changed.

An undo is an entry too. Each entry names the row by its place and by the hash of its file, so that no
decision is ever taken for one about another row.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pairwright.errors import PairwrightError
from pairwright.folders.manifest import Manifest
from pairwright.folders.shards import PARTS

REVIEW = "review.sqlite"
UNDO = "undo"
Task = Literal["review", "label"]
_PATIENCE_SECONDS = 30.0
_TABLE = """CREATE TABLE IF NOT EXISTS decisions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, who TEXT NOT NULL, task TEXT NOT NULL,
    part TEXT NOT NULL, shard INTEGER NOT NULL, row INTEGER NOT NULL, file TEXT NOT NULL,
    row_id TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, text TEXT, turned INTEGER NOT NULL,
    undoes INTEGER)"""
_READ = (
    "SELECT number, at, who, task, part, shard, row, file, row_id, kind, reason, text, turned, undoes "
    "FROM decisions WHERE number > ? ORDER BY number"
)
_APPEND = (
    "INSERT INTO decisions (at, who, task, part, shard, row, file, row_id, kind, reason, text, turned, "
    "undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_OF_THE_FILE = "make room, or move a damaged file away"
_NOT_HERE = "copy the run to where you may write"
_NO_LOCKS = "this disk locks no files, as some network disks do not: copy the run to another one"
_MENDING = {
    sqlite3.SQLITE_READONLY: _NOT_HERE,
    sqlite3.SQLITE_CANTOPEN: _NOT_HERE,
    sqlite3.SQLITE_PERM: _NOT_HERE,
    sqlite3.SQLITE_BUSY: "close whatever else has held it for half a minute",
    sqlite3.SQLITE_PROTOCOL: _NO_LOCKS,
    sqlite3.SQLITE_NOLFS: _NO_LOCKS,
}
"""What to do about an error of SQLite, by its primary code."""
_MOVED = (
    "the run was moved or removed while the page was open; put it back, or start the command where it is"
)
_LOCKS = (sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_UNLOCK, sqlite3.SQLITE_IOERR_RDLOCK)


class Place(NamedTuple):
    """The place of a row in a run."""

    part: str
    """`data` or `dropped`."""
    shard: int
    row: int
    """Its number in the shard's file, from 0."""

    def __str__(self) -> str:
        return f"{self.part}/{self.shard}/{self.row}"

    @classmethod
    def parsed(cls, text: str) -> "Place":
        """Return a place from its text. Raises `ValueError` for anything else."""
        part, shard, row = text.split("/")
        if part not in PARTS:
            raise ValueError(text)
        return cls(part, int(shard), int(row))


class Decision(NamedTuple):
    """One entry."""

    number: int
    at: str
    """When, in UTC to the millisecond."""
    who: str
    task: str
    """`review` or `label`."""
    place: Place
    file: str
    """SHA-256 of the Parquet file that the place is in."""
    row_id: str
    kind: str
    """Reviews: accept, reject, swap, edit. Labels: first, second, tie, both_bad, skip. Or undo."""
    reason: str
    text: str | None
    """The chosen answer as it was edited."""
    turned: bool
    """Labels: whether the pair had come before and now stood the other way round."""
    undoes: int | None


class Decisions:
    """The decisions about one run, by several people at once: each sees what the others append.

    One SQLite file, synced at each entry: what was answered for survives a kill. It has a rollback journal
    and no write-ahead log, which people on two machines with one network disk could not share, and which a
    copy of the file alone would leave behind.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.path = folder / REVIEW
        self._files = {(p, i): sha for i, s in manifest.shards.items() for p, sha in s.sha256.items()}
        self._lock = threading.RLock()
        self._read = 0
        self._all: dict[int, Decision] = {}
        self._undone: set[int] = set()
        self._of_row: dict[tuple[str, Place], list[Decision]] = {}
        self._last: dict[Place, Decision] = {}
        self.strangers = 0
        """How many decisions are about files that the run no longer has; they stand in the file."""
        with self._sound():
            self._db = sqlite3.connect(
                self.path, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._leave_write_ahead()
            self._db.execute("PRAGMA synchronous=EXTRA")
            self._db.execute(_TABLE)
        self.refresh()

    def _leave_write_ahead(self) -> None:
        """Turn a file of earlier versions, which kept a write-ahead log, unless somebody has it open."""
        with suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA journal_mode=PERSIST")  # half as many syncs as one that is emptied

    def require_writable(self) -> None:
        """Raise `PairwrightError` if no decision could be stored, before anybody decides."""
        with self._lock, self._sound():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(_APPEND, ("", "", "", "data", 0, 0, "", "", UNDO, "", None, False, None))
            finally:
                self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def refresh(self) -> None:
        """Read the entries appended since, by anybody."""
        with self._lock, self._sound():
            for number, at, who, task, part, shard, row, *others in self._db.execute(_READ, (self._read,)):
                file, row_id, kind, reason, text, turned, undoes = others
                place = Place(part, shard, row)
                self._read = number
                one = Decision(
                    *(number, at, who, task, place, file, row_id, kind, reason, text, bool(turned), undoes)
                )
                if self._files.get((part, shard)) != file:
                    self.strangers += kind != UNDO
                    continue
                if undoes is not None:
                    self._undone.add(undoes)
                else:
                    self._all[number] = one
                    self._of_row.setdefault((task, place), []).append(one)
                if task == "review":
                    self._learn_last(place)

    def _learn_last(self, place: Place) -> None:
        """Know the last word on a row, so that a key press costs the same however much was decided."""
        self._last.pop(place, None)
        if standing := self.of_row("review", place):
            self._last[place] = standing[-1]

    def append(
        self,
        who: str,
        task: Task,
        place: Place,
        row_id: str,
        kind: str,
        *,
        reason: str = "",
        text: str | None = None,
        turned: bool = False,
    ) -> None:
        """Add an entry; it is on disk when this returns. Raises `PairwrightError` when the disk refuses."""
        with self._writing():
            self._insert(who, task, place, row_id, kind, reason, text, turned, None)

    def append_once(
        self, who: str, place: Place, row_id: str, kind: str, reason: str, turned: bool
    ) -> bool:
        """Add a label unless this person gave it already in another tab; returns whether it was added."""
        with self._writing():
            there = (d for d in self.of_row("label", place) if d.who == who and d.turned == turned)
            if any(there):
                return False
            self._insert(who, "label", place, row_id, kind, reason, None, turned, None)
            return True

    def undo(self, who: str, task: Task) -> Decision | None:
        """Take back this person's last decision that still stands; None when there is none."""
        with self._writing():
            last = next((d for d in self.standing(task, newest_first=True) if d.who == who), None)
            if last is not None:
                self._insert(who, task, last.place, last.row_id, UNDO, "", None, False, last.number)
            return last

    def of_row(self, task: Task, place: Place) -> list[Decision]:
        """Return every decision about a row that stands, the oldest first."""
        return [d for d in self._of_row.get((task, place), ()) if d.number not in self._undone]

    def last(self, place: Place) -> Decision | None:
        """Return the last decision on a row in review, by anybody."""
        return self._last.get(place)

    def standing(self, task: Task, *, newest_first: bool = False) -> Iterator[Decision]:
        """Yield all decisions of a task that were not undone."""
        numbers: Iterable[int] = list(self._all)
        for number in reversed(list(numbers)) if newest_first else numbers:
            if number not in self._undone and self._all[number].task == task:
                yield self._all[number]

    def reviewed(self) -> dict[Place, Decision]:
        """Return the last decision on every row that has one."""
        with self._lock:
            return dict(self._last)

    def _insert(
        self, who: str, task: Task, place: Place, row_id: str, kind: str, reason: str, *rest: Any
    ) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        file = self._files[place.part, place.shard]
        self._db.execute(_APPEND, (at, who, task, *place, file, row_id, kind, reason, *rest))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The file for this writer alone, and everything in it read."""
        with self._lock:
            with self._sound():
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    self.refresh()
                    yield
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            self.refresh()

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            code = getattr(error, "sqlite_errorcode", 0)
            said = _NO_LOCKS if code in _LOCKS else _MENDING.get(code & 0xFF, _OF_THE_FILE)
            said = _MOVED if code == sqlite3.SQLITE_READONLY_DBMOVED else said
            raise PairwrightError(
                f"{self.path}: {error}; nothing that was decided before is lost: {said}, and open the page "
                "again"
            ) from error


def summary(reviewed: Mapping[Place, Decision]) -> dict[str, int]:
    """Return the number of rows by decision."""
    counts: dict[str, int] = {}
    for decision in reviewed.values():
        counts[decision.kind] = counts.get(decision.kind, 0) + 1
    return counts
