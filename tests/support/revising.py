"""A revision played through without an engine."""

from typing import Any

from pairwright.inputs.row import Row
from pairwright.records import Completion, Message, Outcome, Request
from pairwright.stages.asking import Unanswered
from revise import ReviseConfig
from revise.stage import ReviseStage

ANSWER = "Two plus two is five, and that has been known for a very long time by everybody."


BETTER = ANSWER.replace("five", "four")


def stage(**settings: Any) -> ReviseStage:
    values = {"input": "x", "out": "y", "reviser": "canned:r.jsonl"}
    return ReviseStage(ReviseConfig(**(values | settings)))


def row(answer: str | None = ANSWER, *prompt: tuple[str, str], **carried: Any) -> Row:
    messages = tuple(Message(role=r, content=c) for r, c in prompt or [("user", "What is 2 + 2?")])
    return Row("id", "pid", 0, messages, answer, carried)


def play(stage: ReviseStage, row: Row, *completions: Completion) -> tuple[list[Request], Outcome]:
    """Every request that a row makes, and how it ends. All completions must be asked for."""
    work, given = stage.work(row, 0), list(completions)
    asked, step = [], next(work)
    while True:
        asked += step
        completions = [given.pop(0) for _ in step]
        failure = next((c.failure for c in completions if c.failure is not None), None)
        try:
            step = work.send(completions) if failure is None else work.throw(Unanswered(failure))
        except StopIteration as stop:
            assert not given
            return asked, stop.value
