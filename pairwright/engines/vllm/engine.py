"""vLLM offline as an engine: in a process of its own, which is fed, drained and restarted."""

import contextlib
import json
import queue
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pairwright.engines.options import EngineOptions
from pairwright.engines.vllm.lines import JobLines
from pairwright.engines.vllm.process import SupervisedProcess
from pairwright.engines.vllm.settings import (
    PYTHON,
    rank_for,
    vllm_identity,
    vllm_python,
    worker_environment,
)
from pairwright.engines.vllm.warm import Living, frame_of, keeping, lay_aside, rank_to_come, take
from pairwright.errors import PairwrightError, UsageError
from pairwright.models.names import base_and_adapter, model_identity
from pairwright.models.quiet import quiet
from pairwright.models.remote_code import TRUST, own_code, trusting
from pairwright.records import Completion, Finished, Job
from pairwright.terminal.text import one_line

MOST_DEATHS = 3
"""Deaths of the worker with no answer between them that end the run; also, those that a job may see."""

_WORKER = Path(__file__).with_name("worker.py")
_UNEXPLAINED = ("Engine core initialization failed", "it ", "its ", "nothing came")
_ERROR = re.compile(r"\b\w*(Error|Exception): \S")
_FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)+)")
"""A setting as vLLM's command line spells it."""
_PREFIX = re.compile(r"^\(\S+ pid=\d+\)\s*(ERROR \S+ \S+ \[[^\]]*\]\s*)?")
"""What vLLM writes before a line of its log: process, level, time and place."""
_SLICE = 1.0
_END_SECONDS = 10.0
_CHANGE_SECONDS = 600.0
"""Longest silence while weights are changed: those of the largest models come from a disk."""


class VLLMEngine:
    """A model in vLLM. Jobs become token ids here; the worker only generates.

    `model` is what `resolve_model` takes; `options.engine` holds vLLM's own arguments. When the worker
    dies, another is started and asked again for all that was in hand. Raises `UsageError` when vLLM is
    not installed, or the model or a setting cannot be used.
    """

    def __init__(self, model: str, options: EngineOptions, spec: str) -> None:
        self.spec = spec
        known = vllm_identity(model_identity(model, options.dtype), options.engine)
        self.identity = known + options.asked.mark
        self._python = vllm_python(options.engine)
        source, adapter = base_and_adapter(model, options.asked.adapter)
        grown = adapter and (Path(adapter) / "tokenizer.json").is_file()
        tokenizer = _tokenizer(adapter if grown else source, options)
        self._lines = JobLines(tokenizer, self.identity, options.asked, spec)
        self._setting: dict[str, Any] = {
            "model": source,
            "adapter": adapter,
            "weights": self.identity,
            "dtype": options.dtype,
            "further": sorted(options.asked.body),
            "rank": rank_for(adapter) if adapter else rank_to_come(source),
            "kept": keeping(),
            "arguments": {name: value for name, value in options.engine.items() if name != PYTHON}
            | ({TRUST: "true"} if options.trust_remote_code else {}),
        }
        self._frame = frame_of(self._setting, self._python)
        self._patience = options.deadline
        self._in_hand: dict[str, Job] = {}
        self._finished: list[Finished] = []
        self._deaths: Counter[str] = Counter()
        self._deaths_in_a_row = 0
        self._worker: SupervisedProcess | None = None
        self._ready: dict[str, Any] = self._take_up() or self._start()
        self.capacity: int = 2 * self._ready["sequences"]
        self.version: str = self._ready["vllm"]
        """Version of vLLM, as it says itself."""

    @property
    def group(self) -> int:
        """Process group of the worker and of all that it started."""
        return self._running.group

    def submit(self, job: Job) -> None:
        """Take a job; what cannot be asked of this model fails at the next `poll`."""
        try:
            line = self._lines.line(job, self._ready["context"])
        except UsageError as error:
            failed = Completion(failure=str(error), model=self.identity)
            self._finished.append(Finished(job.key, failed))
            return
        self._in_hand[job.key] = job
        self._running.send(line)

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Wait for at least one completion and return all there are; none if none is in hand."""
        ends = None if timeout is None else time.monotonic() + timeout
        while self._in_hand:
            left = _SLICE if ends is None else min(_SLICE, max(0.0, ends - time.monotonic()))
            try:
                line = self._running.receive(0.0 if self._finished else left)
            except queue.Empty:
                if self._finished or (ends is not None and time.monotonic() >= ends):
                    break
                self._check_on_it()
            else:
                if line is None and self._finished:
                    break  # those first: whether it can be revived is not sure
                self._hear(line)
        return self._handed_over()

    def drain(self) -> list[Finished]:
        """Finish what vLLM has begun. What waits, or dies with the worker, is given up."""
        self._running.send(b'{"drain": true}')
        while self._in_hand:
            try:
                line = self._running.receive(self._patience)
            except queue.Empty:
                break
            if line is None or "drained" in (said := json.loads(line)):
                break
            self._note(said)
        self._in_hand.clear()
        return self._handed_over()

    def close(self) -> None:
        """End vLLM and free its memory, or keep it where engines are kept. Jobs in hand are given up."""
        if self._worker is not None:
            if keeping() and not self._in_hand and self._said("rest").get("resting"):
                lay_aside(self._frame, Living(self._worker, self._ready))
            else:
                self._worker.end(_END_SECONDS)
            self._worker = None
        self._in_hand.clear()

    @property
    def _running(self) -> SupervisedProcess:
        assert self._worker is not None, "the engine is closed"
        return self._worker

    def _take_up(self) -> dict[str, Any] | None:
        """Go on with a kept worker, with our weights in it; None where there is none that can take them."""
        living = take(self._frame)
        if living is None:
            return None
        self._worker, self._heard = living.process, time.monotonic()
        ready: dict[str, Any] | None = self._said("change", self._setting).get("ready")
        if ready is None:
            self._worker.end()
            return None
        return ready

    def _said(self, what: str, value: Any = True) -> dict[str, Any]:
        """The worker's answer to something that is no job; empty where none comes."""
        self._running.send(json.dumps({what: value}).encode())
        with contextlib.suppress(queue.Empty):
            while (line := self._running.receive(_CHANGE_SECONDS)) is not None:
                said: dict[str, Any] = json.loads(line)
                if said.keys() & {"ready", "refused", "resting"}:
                    return said
        return {}

    def _start(self) -> dict[str, Any]:
        """Start a worker and wait until it is ready. Raises `UsageError` if it never is."""
        self._worker = SupervisedProcess([self._python, str(_WORKER)], worker_environment(self._python))
        try:
            self._worker.send(json.dumps(self._setting).encode())
            line = self._worker.receive(None)
            said = {} if line is None else json.loads(line)
            if "ready" not in said:
                why = said.get("refused") or "it ended while it was starting"
                raise UsageError(f"{self.spec}: {self._with_log(why)}")
        except BaseException:
            self._worker.end(_END_SECONDS)
            self._worker = None
            raise
        self._heard = time.monotonic()
        ready: dict[str, Any] = said["ready"]
        return ready

    def _hear(self, line: bytes | None) -> None:
        self._heard = time.monotonic()
        if line is None:
            self._revive("its process died")
        else:
            self._note(json.loads(line))

    def _note(self, said: dict[str, Any]) -> None:
        job = self._in_hand.pop(said.get("key", ""), None)
        if job is not None:
            self._deaths_in_a_row = 0
            self._finished.append(Finished(job.key, self._lines.completion(said, job.request)))

    def _check_on_it(self) -> None:
        """A worker that has said nothing for a whole deadline, not even that it lives, hangs."""
        if time.monotonic() - self._heard > self._patience:
            self._revive(f"nothing came from it for {self._patience:g} s")

    def _revive(self, why: str) -> None:
        """Start another worker and ask it for what is in hand, or give up."""
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row >= MOST_DEATHS:
            raise PairwrightError(
                f"{self.spec}: vLLM broke down {MOST_DEATHS} times with no answer between; "
                f"{self._with_log(why)}; finished work is kept: run the same command again"
            )
        jobs, self._in_hand = self._in_hand, {}
        self._running.end()
        self._ready = self._start()
        for key, job in jobs.items():
            self._deaths[key] += 1
            if self._deaths[key] >= MOST_DEATHS:
                failed = Completion(failure=f"vllm: {why}, {MOST_DEATHS} times with this in hand")
                self._finished.append(Finished(key, failed.model_copy(update={"model": self.identity})))
            else:
                self.submit(job)

    def _with_log(self, why: str) -> str:
        """The reason, and the line of the log that best explains it."""
        log = self._running.log_tail()
        errors = [line for line in log if _ERROR.search(line) and "root cause" not in line]
        ended = [line for line in log if " ended with " in line]
        told = (errors or ended or log)[-1:] if why.startswith(_UNEXPLAINED) else []
        causes = [_FLAG.sub(_our_flag, _PREFIX.sub("", line))[:400] for line in told]
        return one_line("; its log says: ".join([why, *causes]))

    def _handed_over(self) -> list[Finished]:
        finished, self._finished = self._finished, []
        return finished


def _our_flag(theirs: re.Match[str]) -> str:
    return f"--engine.{theirs[1].replace('-', '_')}"


def _tokenizer(source: str, options: EngineOptions) -> Any:
    """The tokenizer that vLLM will use, or one sentence about why there is none."""
    from transformers import AutoTokenizer

    named = options.engine.get("tokenizer", source)
    revision = options.engine.get("tokenizer_revision", options.engine.get("revision"))
    trusted = options.trust_remote_code or options.engine.get(TRUST, "").lower() == "true"
    try:
        with quiet(), trusting(trusted):
            told = own_code() | ({"revision": revision} if revision else {})
            return AutoTokenizer.from_pretrained(named, **told)
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"{named} has no tokenizer to load: {one_line(str(error))[:300]}") from error
