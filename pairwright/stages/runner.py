"""The one stage runner: rows in, requests out, completions back, parse, gate, write."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from pairwright.engines.base import Engine
from pairwright.engines.pool import EnginePool
from pairwright.engines.thoughts import apart
from pairwright.errors import PairwrightError
from pairwright.folders.journal import Journal
from pairwright.folders.manifest import Manifest
from pairwright.folders.shards import as_begun, commit_shard, read_tables
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.records import (
    FAILED,
    KEPT,
    Completion,
    Finished,
    Job,
    Outcome,
    Request,
    content_hash,
)
from pairwright.schema import calling, with_carried
from pairwright.stages.asking import Unanswered
from pairwright.stages.budget import Budget
from pairwright.stages.stage import Completes, InRounds, Stage, Work, passed_over, with_row
from pairwright.stages.workers import Share
from pairwright.terminal.progress import Meter
from pairwright.terminal.text import say

_POLL_SECONDS = 0.05
"""Longest wait for one of several engines that have work."""
_STOP_SECONDS = 0.5
"""Longest wait for the only one, so that whoever wants to stop is heard."""


class Flight:
    """An item of work in progress."""

    def __init__(self, index: int, row_id: str, row: Row, work: Work) -> None:
        self.index = index
        self.row_id = row_id
        self.row = row
        self.work = work
        self.keys: list[str] = []
        self.completions: dict[str, Completion] = {}
        self._begun = False

    @property
    def landed(self) -> bool:
        """Whether all its requests have come back."""
        return len(self.completions) == len(set(self.keys))

    @property
    def failure(self) -> str | None:
        """Why it cannot continue, or None."""
        return next((c.failure for c in self.completions.values() if c.failure is not None), None)

    def go_on(self) -> list[Request] | Outcome:
        """Pass in completions that came back, or a failure; returns its next requests, or how it ended."""
        failure = self.failure
        answers = [self.completions[key] for key in self.keys] if self._begun else None
        self._begun = True
        self.keys, self.completions = [], {}
        try:
            if failure is not None:
                return self.work.throw(Unanswered(failure))
            return self.work.send(answers)  # type: ignore[arg-type]  # None begins a generator
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        except Unanswered as error:
            return Outcome(status=FAILED, reason=str(error))


def columns_of_run(stage: Stage, rows: Input, folder: Path, share: Share) -> pa.Schema:
    """Return the stage's columns and those that rows carry, as the run was begun with."""
    whole = [folder, folder.parents[1]] if share.of > 1 else [folder]
    own = calling(stage.schema) if rows.calls_tools else stage.schema
    return as_begun(with_carried(own, rows.carried), whole)


class Runner:
    """Works through the open shards of one run. Not to be used twice."""

    def __init__(
        self,
        stage: Stage,
        rows: Input,
        engines: EnginePool,
        journal: Journal,
        folder: Path,
        manifest: Manifest,
        share: Share,
        schema: pa.Schema,
        budget: Budget,
    ) -> None:
        self.manifest = manifest
        self._share = share
        self._budget = budget
        self._stage = stage
        self._rounds = stage if isinstance(stage, InRounds) else None
        self._completes = stage if isinstance(stage, Completes) else None
        self._rows = rows
        self._engines = engines
        self._journal = journal
        self._folder = folder
        self._schema = schema
        self._items = self._open_items()
        self._held: Flight | None = None
        self._round: int | None = None
        self._in_air = 0
        self._waiting: dict[str, list[Flight]] = {}
        self._asked: Counter[Engine] = Counter()
        self._useless: Engine | None = None
        self._outcomes: dict[int, dict[int, Outcome]] = defaultdict(dict)
        self._finished = sum(manifest.counts.values())
        self._kept = manifest.counts.get(KEPT, 0)
        self._tokens = 0

    def run(self, stopping: Callable[[], bool], meter: Meter) -> Manifest:
        """Finish every open shard; once `stopping` or the budget says so, only what has been asked.

        Raises `PairwrightError` when one row after the other ends alike without an answer, or an engine is
        of no use.
        """
        try:
            while not stopping() and self._budget.spent is None and self._alike is None:
                self._admit()
                if not self._in_air:
                    return self.manifest
                self._collect()
                meter(self._finished, self._kept, self._tokens, self._engines.waits)
        except PairwrightError:
            self._keep_what_is_under_way()
            raise
        for engine in self._asked:
            self._keep(engine.drain())
        if self._alike is not None:
            raise PairwrightError(f"{self._folder}: {self._alike}")
        return self.manifest

    def _keep_what_is_under_way(self) -> None:
        """Put into the journal what others still answer when one has ended the run: it is paid for."""
        left = [engine for engine, asked in self._asked.items() if asked and engine is not self._useless]
        if left:
            say("waiting for answers that are under way, to keep them; Ctrl-C twice gives them up")
        for engine in left:
            with suppress(PairwrightError):
                self._journal.add(engine.drain())

    @property
    def _alike(self) -> str | None:
        """Why it makes no sense to go on, where rows end alike without an answer."""
        return self._budget.failures.told(self._stage.name)

    def _open_items(self) -> Iterator[Flight]:
        """Items of shards that are not finished, in order."""
        samples = self._stage.samples
        for place, row in self._rows.rows(lambda place: any(map(self._is_open, self._of_row(place)))):
            for sample, index in enumerate(self._of_row(place)):
                if self._is_open(index):
                    row_id = content_hash([row.row_id, sample])[:16] if samples > 1 else row.row_id
                    work = (
                        self._stage.work(row, sample) if row.problem is None else passed_over(row.problem)
                    )
                    yield Flight(index, row_id, row, work)

    def _of_row(self, place: int) -> range:
        """Numbers of the items that the row at a place becomes."""
        return range(place * self._stage.samples, (place + 1) * self._stage.samples)

    def _is_open(self, index: int) -> bool:
        """Whether an item is ours and not finished."""
        shard = index // self.manifest.shard_size
        return shard not in self.manifest.shards and self._share.owns(shard)

    def _admit(self) -> None:
        """Start items until the engines have their hands full."""
        while self._in_air < self._engines.capacity and not (self._in_air and self._budget.all_promised):
            flight = self._next()
            if flight is None:
                return
            self._in_air += 1
            self._advance(flight)

    def _next(self) -> Flight | None:
        """The next item that may begin; of a stage in rounds, one whose earlier rounds are written."""
        flight, self._held = self._held or next(self._items, None), None
        if flight is None or self._rounds is None:
            return flight
        shard = flight.index // self.manifest.shard_size
        if shard != self._round:
            if self._in_air:
                self._held = flight
                return None
            left = self.manifest.items - shard * self.manifest.shard_size
            self._rounds.begin_round(read_tables(self._folder, before=shard), left)
            self._round = shard
        return flight

    def _advance(self, flight: Flight) -> None:
        """Let an item go on until it waits for an engine or ends."""
        while flight.landed:
            step = flight.go_on()
            if isinstance(step, Outcome):
                self._land(flight, step)
                return
            for request in step:
                self._ask(flight, request)

    def _ask(self, flight: Flight, request: Request) -> None:
        """Answer a request from the journal, join it to an equal one in flight, or send it."""
        key = request.key(self._engines.identities[request.role])
        flight.keys.append(key)
        known = self._journal.get(key)
        if known is not None:
            flight.completions[key] = apart(known, self._engines.marks)
        elif key in self._waiting:
            if flight not in self._waiting[key]:
                self._waiting[key].append(flight)
        else:
            self._waiting[key] = [flight]
            engine = self._engines[request.role]
            batch = self._engines.sends_batches(request.role)
            self._budget.promise(key, request, self._engines.identities[request.role], batch=batch)
            engine.submit(Job(key=key, request=request))
            self._asked[engine] += 1

    def _collect(self) -> None:
        """Take what engines have finished: into the journal first, then to the items."""
        busy = [engine for engine, asked in self._asked.items() if asked]
        alone = None if self._engines.by_batch else _STOP_SECONDS
        for engine in busy:
            finished = self._poll(engine, alone if len(busy) == 1 else _POLL_SECONDS)
            self._asked[engine] -= len(finished)
            self._keep(finished)
            for key, completion in finished:
                self._tokens += completion.completion_tokens
                completion = apart(completion, self._engines.marks)
                for flight in self._waiting.pop(key):
                    flight.completions[key] = completion
                    self._advance(flight)
        self._keep(self._engines.besides())

    def _poll(self, engine: Engine, timeout: float | None) -> list[Finished]:
        """What an engine has finished; if it is of no use, its last answers are kept where any were."""
        try:
            return engine.poll(timeout)
        except PairwrightError:
            self._useless = engine
            if len(self._journal):
                self._journal.add(self._engines.besides())
            raise

    def _keep(self, finished: list[Finished]) -> None:
        """Put completions into the journal and count them."""
        self._journal.add(finished)
        for key, completion in finished:
            self._budget.settle(key)
            self._budget.add(completion)

    def _land(self, flight: Flight, outcome: Outcome) -> None:
        """Note how an item ended, and commit its shard if it was the last one out."""
        first, *further = (
            with_row(
                content_hash([flight.row_id, number])[:16] if number else flight.row_id, flight.row, columns
            )
            for number, columns in enumerate((outcome.columns, *outcome.further))
        )
        size = self.manifest.shard_size
        shard = flight.index // size
        outcomes = self._outcomes[shard]
        rows = {"columns": first, "further": tuple(further)}
        outcomes[flight.index] = outcome.model_copy(update=rows)
        self._in_air -= 1
        self._finished += 1
        self._kept += outcome.status == KEPT
        self._budget.failures.add(outcome, self._kept)
        if len(outcomes) == min(size, self.manifest.items - shard * size):
            in_order = [outcomes[index] for index in sorted(outcomes)]
            if self._completes is not None:
                self._completes.complete([row for o in in_order for row in (o.columns, *o.further)])
            self.manifest = commit_shard(self._folder, self.manifest, shard, self._schema, in_order)
            del self._outcomes[shard]
