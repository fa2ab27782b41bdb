"""Several processes that share the calls of a function."""

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from pairwright.engines.verifiers.calling import Item, Result
from pairwright.engines.verifiers.process import FunctionProcess


class Asked(NamedTuple):
    """An item and the key under which its result is wanted."""

    key: str
    item: Item


class FunctionPool:
    """Hands every item to some process and returns results as they come, in any order."""

    def __init__(self, make: Callable[[], FunctionProcess], processes: int, batch: int) -> None:
        self._processes = [make() for _ in range(processes)]
        self._batch = batch
        self._collected: list[Asked] = []
        self._chunks: queue.SimpleQueue[list[Asked] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[str, Result]] = queue.SimpleQueue()
        self._in_hand = 0
        self._threads: list[threading.Thread] = []

    def submit(self, key: str, item: Item) -> None:
        """Take an item. It is asked about at the next `poll`, together with its neighbours."""
        self._collected.append(Asked(key, item))

    def poll(self, timeout: float | None = None) -> list[tuple[str, Result]]:
        """Wait for at least one result (at most `timeout` seconds) and return all there are."""
        self._hand_out()
        found: list[tuple[str, Result]] = []
        while self._in_hand and (not found or not self._results.empty()):
            try:
                found.append(self._results.get(timeout=timeout))
            except queue.Empty:
                break
            self._in_hand -= 1
        return found

    def drain(self) -> list[tuple[str, Result]]:
        """Begin nothing more; wait for what has begun, and return it."""
        self._collected.clear()
        try:
            while (chunk := self._chunks.get_nowait()) is not None:
                self._in_hand -= len(chunk)
        except queue.Empty:
            pass
        found: list[tuple[str, Result]] = []
        while self._in_hand:
            found += self.poll()
        return found

    def close(self) -> None:
        """End all processes. What is in hand is given up."""
        for process in self._processes:
            process.close()
        for _ in self._threads:
            self._chunks.put(None)
        for thread in self._threads:
            thread.join()

    def _hand_out(self) -> None:
        """Cut what was collected into lists: as many as there are processes, none longer than a batch."""
        if not self._collected:
            return
        size = min(self._batch, -(-len(self._collected) // len(self._processes)))
        while self._collected:
            chunk, self._collected = self._collected[:size], self._collected[size:]
            self._in_hand += len(chunk)
            self._chunks.put(chunk)
            if len(self._threads) < len(self._processes):
                process = self._processes[len(self._threads)]
                self._threads.append(threading.Thread(target=self._serve, args=(process,), daemon=True))
                self._threads[-1].start()

    def _serve(self, process: FunctionProcess) -> None:
        while (chunk := self._chunks.get()) is not None:
            missing = dict(enumerate(chunk))
            try:
                for place, result in process.results([asked.item for asked in chunk]):
                    self._results.put((missing.pop(place).key, result))
            except Exception as error:  # a result that is never sent would be waited for for ever
                for asked in missing.values():
                    self._results.put((asked.key, Result(None, f"{type(error).__name__}: {error}")))
