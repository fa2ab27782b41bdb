"""Judges whose habits are known: canned replies written for exactly the questions that a stage asks."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import Columns
from pairwright.inputs.rows import Input
from pairwright.records import Completion, Outcome, Request, content_hash
from pairwright.stages.stage import Stage

_FIRST = re.compile(r"<first response (\w+)>\n(.*?)\n</first response \1>", re.DOTALL)
_SECOND = re.compile(r"<second response (\w+)>\n(.*?)\n</second response \1>", re.DOTALL)
_LABELS = re.compile(r"^([A-Z])\. The first response\n([A-Z])\. The second response$", re.MULTILINE)


class Question(NamedTuple):
    """What a judge is shown."""

    first: str
    second: str
    labels: tuple[str, str]
    text: str


def question(request: Request) -> Question:
    """A judge's request, read back."""
    text = request.messages[-1].content
    first, second = _FIRST.search(text), _SECOND.search(text)
    labels = _LABELS.findall(text)[-1]
    assert first
    assert second
    return Question(first[2], second[2], labels, text)


def chance(*identity: Any) -> float:
    """A number in [0, 1) that depends on its arguments alone."""
    return int(content_hash(list(identity))[:12], 16) / 16**12


def choosing(first: Callable[[Question], bool], sure: float = 0.9) -> Callable[[Request], dict[str, Any]]:
    """Replies of a judge that prefers the first response when `first` says so."""

    def reply(request: Request) -> dict[str, Any]:
        asked = question(request)
        chosen, other = asked.labels if first(asked) else asked.labels[::-1]
        return {"text": chosen, "top_logprobs": [{chosen: math.log(sure), other: math.log(1 - sure)}]}

    return reply


def plant(
    path: Path, stage: Stage, rows: Input, reply: Callable[[Request], dict[str, Any]]
) -> dict[str, Outcome]:
    """Write the replies to everything that a stage asks judges about rows; its outcomes, by prompt."""
    lines, outcomes = [], {}
    for row in rows:
        work, answers = stage.work(row, 0), None
        while True:
            try:
                requests = work.send(answers)  # type: ignore[arg-type]
            except StopIteration as stop:
                outcomes[row.prompt[-1].content] = stop.value
                break
            replies = [reply(request) for request in requests]
            lines += [
                {"match": request.messages[-1].content} | said
                for request, said in zip(requests, replies, strict=True)
                if request.role.startswith("judge")
            ]
            answers = [Completion(**said) for said in replies]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return outcomes


def candidates(path: Path, *columns: str) -> Candidates:
    """The rows of a file with all answers to each prompt."""
    return Candidates(str(path), Columns(answers=columns), None)


def seed(path: Path) -> Path:
    """A file of replies that gives log-probabilities, to be planted over."""
    path.write_text(json.dumps({"text": "C", "top_logprobs": [{"C": -0.1}]}) + "\n")
    return path
