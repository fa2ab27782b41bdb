"""Rows that are equal or belong to one group, in any order, found at eight bytes a row."""

import sqlite3
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple

import numpy as np


class Groups:
    """Which rows have the same key, found in a first pass over all of them.

    Groups whose rows follow each other need no more than that. Of the others the second pass puts
    what is wanted of each row into a file that SQLite makes and removes, and the third reads it from there.
    """

    def __init__(self, keys: Iterable[Hashable]) -> None:
        seen = array("q", (hash(key) for key in keys))
        rows = np.frombuffer(seen, np.int64) if seen else np.empty(0, np.int64)
        order = np.argsort(rows, kind="stable")
        starts = np.flatnonzero(np.r_[True, rows[order][1:] != rows[order][:-1]]) if len(rows) else order
        sizes = np.diff(np.r_[starts, len(rows)])
        self._first = np.empty(len(rows), np.int64)
        self._first[order] = np.repeat(order[starts], sizes)
        rank = np.arange(len(rows)) - np.repeat(starts, sizes)
        self.scattered = bool((order != self._first[order] + rank).any())
        """Whether any two rows of a group have one of another between them."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._first)

    @property
    def count(self) -> int:
        """How many groups there are."""
        return int((self._first == np.arange(len(self._first))).sum())

    def first(self, place: int) -> int:
        """Return where the first row of a row's group stands."""
        return int(self._first[place])


class Member(NamedTuple):
    """What a row adds to its group."""

    key: str
    """The group's own name, for the rows that only share its number."""
    text: str | None
    model: str | None
    reasoning: str | None


class Spill:
    """The members of groups, on disk."""

    def __init__(self, members: Iterable[tuple[int, Member]]) -> None:
        self._table = sqlite3.connect("", isolation_level=None)  # a file without a name, gone with us
        self._table.execute(
            "CREATE TABLE member (first INTEGER, key TEXT, text TEXT, model TEXT, reasoning TEXT)"
        )
        self._table.execute("BEGIN")
        self._table.executemany(
            "INSERT INTO member VALUES (?, ?, ?, ?, ?)", ((first, *member) for first, member in members)
        )
        self._table.execute("COMMIT")
        self._table.execute("CREATE INDEX by_first ON member (first)")

    def members(self, first: int) -> Iterator[Member]:
        """Yield the members of the group whose first row stands there, in the order of their rows."""
        rows = self._table.execute(
            "SELECT key, text, model, reasoning FROM member WHERE first = ? ORDER BY rowid", (first,)
        )
        return (Member(*row) for row in rows)


class Occurrences:
    """Counts equal rows: a first pass surveys all rows, so that a second one can count.

    Most rows are like no other. The first pass keeps one number a row; the second has to remember
    only rows that have a twin.
    """

    def __init__(self) -> None:
        self._seen = array("q")

    def survey(self, content: Hashable) -> None:
        """Note a row in the first pass."""
        self._seen.append(hash(content))

    def counter(self) -> Callable[[Hashable], int]:
        """Return a function that is given row after row and counts the equal ones before each."""
        rows = np.sort(np.frombuffer(self._seen, np.int64)) if self._seen else np.empty(0, np.int64)
        twins = frozenset(rows[1:][rows[1:] == rows[:-1]].tolist())
        before: Counter[int] = Counter()

        def count(content: Hashable) -> int:
            number = hash(content)
            if number not in twins:
                return 0
            before[number] += 1
            return before[number] - 1

        return count
