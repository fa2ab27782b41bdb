"""One process that calls a function, started when it is needed and started again when it is lost."""

import base64
import json
import os
import pickle
import queue
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pairwright.engines.verifiers.calling import Item, Result
from pairwright.engines.verifiers.worker import Work
from pairwright.engines.vllm.process import SupervisedProcess

_WORKER = Path(__file__).with_name("worker.py")
_START_SECONDS = 120.0
"""Seconds that a function's module may take to be imported."""
_GRACE_SECONDS = 1.0
"""Seconds beyond the limit in which a worker that hangs says where, and one that awaits ends by itself."""
_ENDED = re.compile(r"the process ended with .*")
_HANGING = re.compile(r'File "(?P<path>[^"]+)", line (?P<line>\d+) in ')


class FunctionProcess:
    """Calls a function about lists of answers, one list at a time."""

    def __init__(self, work: Work, file: str | None, *, in_order: bool) -> None:
        self._work = work
        self._file = file
        self._in_order = in_order  # a function that takes one answer at a time
        self._process: SupervisedProcess | None = None
        self._loss = ""
        self._closed = False

    def results(self, items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
        """Yield a result for every item, with its place.

        When the process is lost over an item, that one fails. Where it cannot be told which it was,
        what is missing is asked again one by one.
        """
        waiting, alone = list(enumerate(items)), False
        while waiting:
            chunk = waiting[:1] if alone else waiting
            missing = dict(enumerate(chunk))
            for place, result in self._asked([item for _, item in chunk]):
                yield missing.pop(place)[0], result
            rest = list(missing.values())
            if rest and (self._in_order or len(chunk) == 1):
                yield rest.pop(0)[0], Result(None, self._loss)
            elif rest:
                alone = True
            waiting = rest + waiting[len(chunk) :]

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._closed = True
        self._end()

    def _asked(self, items: list[Item]) -> Iterator[tuple[int, Result]]:
        """Results until all are there or the process is lost; `_loss` then says how."""
        broken = self._started()
        if broken is not None:
            yield from ((place, Result(None, broken)) for place in range(len(items)))
            return
        assert self._process is not None
        self._process.send(_pickled(items))
        for _ in items:
            answer = self._answer(self._work.timeout + _GRACE_SECONDS)
            if answer is None:
                return
            yield answer["place"], Result(answer["value"], answer["failure"])

    def _started(self) -> str | None:
        """Have a process that is ready; else say why there is none."""
        if self._closed:
            return "given up"
        if self._process is not None:
            return None
        environment = os.environ | {"PYTHONFAULTHANDLER": "1"}
        self._process = SupervisedProcess([sys.executable, "-P", str(_WORKER)], environment)
        self._process.send(json.dumps(sys.path).encode())
        self._process.send(_pickled(self._work))
        answer = self._answer(_START_SECONDS)
        return self._loss if answer is None else answer.get("broken")

    def _answer(self, seconds: float) -> dict[str, Any] | None:
        """The next line of the process; None when it is lost."""
        assert self._process is not None
        try:
            line = self._process.receive(seconds)
        except queue.Empty:
            self._loss = f"took longer than {self._work.timeout:g} s{self._where()}"
            if seconds == _START_SECONDS:
                self._loss = f"could not be loaded within {seconds:g} s{self._where()}"
            self._end()
            return None
        if line is None:
            last = next(filter(None, map(_ENDED.search, reversed(self._process.log_tail()))), None)
            self._loss = f"{last[0] if last else 'the process ended'}{self._where()}"
            self._end()
            return None
        found: dict[str, Any] = json.loads(line)
        return found

    def _where(self) -> str:
        """The line of the function's own file at which its process hung or fell."""
        assert self._process is not None
        time.sleep(0.05)  # the last words are on their way
        for line in self._process.log_tail():
            found = _HANGING.search(line)
            if found is not None and found["path"] == self._file:
                return f" ({Path(found['path']).name}, line {found['line']})"
        return ""

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


def _pickled(value: Any) -> bytes:
    return base64.b64encode(pickle.dumps(value))
