"""The prompts on each task: rows that ask for different things of what one of their columns names."""

import json
import pickle
from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from pairwright.inputs.row import Row
from pairwright.sift.on_disk import OnDisk


class Tasks:
    """A row of each prompt on a task, in the order of the file.

    Rows wait on disk; of each some numbers stay in memory.
    """

    def __init__(self, column: str, rows: Iterable[Row]) -> None:
        self._column = column
        self._rows = OnDisk()
        numbers = array("q")
        for row in rows:
            task = task_of(row, column)
            if task is not None:
                numbers.extend((hash(task), hash(row.prompt_id)))
                self._rows.add([pickle.dumps(row._replace(given=dict(row.given)))])
        found = np.array(numbers, np.int64).reshape(-1, 2)
        _, first = np.unique(found, axis=0, return_index=True)
        self._places = first[np.lexsort((first, found[first, 0]))]
        self._tasks, self._prompts = found[self._places].T

    def __bool__(self) -> bool:
        """Whether there is a task with two prompts."""
        return bool((self._tasks[1:] == self._tasks[:-1]).any())

    def others(self, row: Row) -> Iterator[Row]:
        """Yield a row of each other prompt on a row's task: those after its own, then those before."""
        task = task_of(row, self._column)
        if task is None:
            return
        first, end = (int(np.searchsorted(self._tasks, hash(task), side)) for side in ("left", "right"))
        own = first + int(np.flatnonzero(self._prompts[first:end] == hash(row.prompt_id))[0])
        for number in (*range(own + 1, end), *range(first, own)):
            yield pickle.loads(self._rows[self._places[number]])


def task_of(row: Row, column: str) -> str | None:
    """Return what a row's column says of its task, as text; None where it is empty."""
    value = row.columns.get(column)
    if value is None or value == []:
        return None
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if text.strip() else None
