"""An engine that keeps a log of all it is asked, and whose answers are a function of the question."""

import json
import math
import re
from typing import ClassVar

from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.options import EngineOptions
from pairwright.records import Completion, Finished, Job, Request

LOG: list[tuple[Job, Completion]] = []
"""Everything that any engine of this kind was asked, and what it answered."""

HANDS = [64]
"""How many jobs an engine of this kind wants at once."""
ANSWERS = (
    "Paris is the capital of France, on the Seine.",
    "\n\n    return total  # indented\n",
    "line one\r\nline two\r\n",
    "  two  spaces  here  ",
    "首都是巴黎。",
    "It's `flag = true`, isn't it?",
    "",
)
_ANSWER = re.compile(r"<answer>\n(.*)\n</answer>", re.DOTALL)
_LABELS = re.compile(r"^(\w+)\. The (?:first|second) response$", re.MULTILINE)


class RecordedKind(EngineKind):
    """`recorded:NAME`, found by its entry point (`recorded-1.dist-info`), as another package's kind."""

    help: ClassVar = "recorded:NAME"

    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        return RecordedEngine(name, spec)

    def identity(self, name: str, options: EngineOptions) -> str:
        return f"recorded:{name}"

    def reports_logprobs(self, name: str) -> bool:
        return True


class RecordedEngine:
    """Answers at once."""

    def __init__(self, name: str, spec: str) -> None:
        self.spec = spec
        self.identity = f"recorded:{name}"
        self.capacity = HANDS[0]
        self._ready: list[Finished] = []

    def submit(self, job: Job) -> None:
        completion = answer(job)
        LOG.append((job, completion))
        self._ready.append(Finished(job.key, completion))

    def poll(self, timeout: float | None = None) -> list[Finished]:
        found, self._ready = self._ready[::-1], []  # the last one first, as servers do
        return found

    def drain(self) -> list[Finished]:
        return self.poll()

    def close(self) -> None:
        self._ready.clear()


def answer(job: Job) -> Completion:
    """What the engine says: to a policy's question one of `ANSWERS`, to others what their form asks."""
    request, number = job.request, job.seed
    if request.role.startswith("policy"):
        text = ANSWERS[number % len(ANSWERS)]
        return Completion(text=text, completion_tokens=3, prompt_tokens=5, model="recorded")
    labels = _LABELS.findall(request.messages[-1].content)
    if request.sampling.logprobs and len(labels) == 2:
        likelier, other = labels if number % 3 else labels[::-1]
        top = {likelier: math.log(0.8), other: math.log(0.15)}
        return Completion(text=likelier, top_logprobs=(top,), completion_tokens=1, model="recorded")
    return Completion(text=revision(request, number), completion_tokens=9, model="recorded")


def revision(request: Request, number: int) -> str:
    """A revision of the answer that is shown, of one kind or another."""
    shown = next((m[1] for t in request.messages if (m := _ANSWER.search(t.content))), "")
    if "edits" in request.messages[0].content:
        word = next(iter(re.findall(r"\w+", shown)), "x")
        edit = {"find": word, "replace": f" {word.upper()}", "reason": "louder"}
        return json.dumps({"edits": [edit] if number % 4 else []})
    changed = {
        0: shown,
        1: shown.replace("e", "E", 1),
        2: f"{shown} And more.",
        3: f"    {shown}",
        4: "I'm sorry, but I can't help with that.",
        5: shown.replace("\r\n", "\n"),
    }[number % 6]
    return f"<rationale>\nwhy\n</rationale>\n<revision>\n{changed}\n</revision>"
