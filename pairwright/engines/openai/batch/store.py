"""The batch jobs of a run, on disk before anything of them is sent and until their answers are kept.

`RUN/batches/` holds for every job its record (`MARK.json`), its requests and, once it is over, its
answers. A job is found again at the provider by its mark, so that one whose creation was cut off is never
made twice.
"""

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pairwright.folders.durable import write_durably
from pairwright.folders.json_record import read_record
from pairwright.records import Job, Record

BATCHES = "batches"
"""The folder of a run's batch jobs."""
_ADVICE = "without it a job cannot be found again: put a copy back, or cancel the job at the provider"


class Batch(Record):
    """One job at a provider."""

    mark: str
    """Our own name of it, which the provider is given too."""
    number: int
    """Later ones have larger numbers."""
    engine: str
    """Identity of the engine whose requests it holds."""
    requests: int
    planned: float
    """Seconds since 1970, as are the other times."""
    file: str = ""
    """The provider's name of the uploaded requests."""
    asked: float = 0.0
    """When its creation was asked for last; 0 before that."""
    id: str = ""
    """The provider's name of it."""
    over: bool = False
    """Whether its answers are on this disk."""


class Asked(NamedTuple):
    """A request of a job, with the body that was sent."""

    job: Job
    """Without its messages, which the body has."""
    body: dict[str, Any]


class Answer(NamedTuple):
    """The reply to one request of a job, in the chat protocol."""

    key: str
    status: int
    """Of HTTP; 0 where the request was never worked on."""
    body: dict[str, Any]


class BatchStore:
    """The jobs in one folder. Only for the holder of the run's lock."""

    def __init__(self, run: Path) -> None:
        self.folder = run / BATCHES

    def all(self) -> list[Batch]:
        """Return every job that is not done with, the earliest first."""
        found = [read_record(path, Batch, _ADVICE) for path in self.folder.glob("*.json")]
        return sorted(filter(None, found), key=lambda batch: batch.number)

    def plan(self, engine: str, asked: Iterable[Asked]) -> Batch:
        """Record a job before it is sent."""
        mark, lines = f"pairwright-{secrets.token_hex(8)}", []
        for job, body in asked:
            bare = job.model_copy(update={"request": job.request.model_copy(update={"messages": ()})})
            lines.append(json.dumps({"job": bare.model_dump(mode="json"), "body": body}))
        write_durably(self._file(mark, "requests.jsonl"), "".join(f"{line}\n" for line in lines).encode())
        number = max((batch.number for batch in self.all()), default=0) + 1
        batch = Batch(mark=mark, number=number, engine=engine, requests=len(lines), planned=time.time())
        self._save(batch)
        return batch

    def note(self, batch: Batch, **changes: Any) -> Batch:
        """Record a job's new state, and return the job."""
        batch = batch.model_copy(update=changes)
        self._save(batch)
        return batch

    def requests(self, batch: Batch) -> list[Asked]:
        """Return a job's requests, in order."""
        return [
            Asked(Job.model_validate(line["job"]), line["body"])
            for line in self._lines(batch, "requests.jsonl")
        ]

    def keep(self, batch: Batch, answers: Iterable[Answer]) -> Batch:
        """Store the answers of a finished job."""
        lines = "".join(f"{json.dumps(list(answer))}\n" for answer in answers)
        write_durably(self._file(batch.mark, "answers.jsonl"), lines.encode())
        return self.note(batch, over=True)

    def answers(self, batch: Batch) -> Iterator[Answer]:
        """Yield the answers of a finished job."""
        return (Answer(*line) for line in self._lines(batch, "answers.jsonl"))

    def forget(self, batch: Batch) -> None:
        """Remove a job whose answers are all kept elsewhere."""
        for name in ("json", "requests.jsonl", "answers.jsonl"):
            self._file(batch.mark, name).unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            self.folder.rmdir()

    def clear(self) -> None:
        """Remove the finished jobs of a complete run, and what a kill left of others."""
        there = self.all()
        for batch in there:
            if batch.over:
                self.forget(batch)
        marks = {batch.mark for batch in there if not batch.over}
        for path in list(self.folder.glob("*")):
            if path.name.partition(".")[0] not in marks:
                path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or the engine's thread has removed it
            self.folder.rmdir()

    def take_in(self, other: "BatchStore") -> None:
        """Move the jobs of another store into this one; records last, so that each has its requests."""
        for path in sorted(other.folder.glob("*"), key=lambda path: path.suffix == ".json"):
            self.folder.mkdir(exist_ok=True)
            path.replace(self.folder / path.name)

    def _save(self, batch: Batch) -> None:
        write_durably(self._file(batch.mark, "json"), batch.model_dump_json(indent=1).encode())

    def _file(self, mark: str, name: str) -> Path:
        return self.folder / f"{mark}.{name}"

    def _lines(self, batch: Batch, name: str) -> Iterator[Any]:
        with self._file(batch.mark, name).open(encoding="utf-8") as file:
            yield from map(json.loads, file)
