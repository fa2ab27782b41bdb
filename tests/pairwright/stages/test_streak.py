"""Ten rows in a row that end alike stop a run, with advice, in every stage that asks engines."""

import json
from pathlib import Path

import pytest
from faultserver import FaultServer
from in_process import run

from pairwright.records import BAD_ROW, FAILED, KEPT, Outcome
from pairwright.stages.streak import Streak

ROWS = 200


def ended(status: str, reason: str = "", **columns: object) -> Outcome:
    return Outcome(status=status, reason=reason, columns=columns)


REFUSED, BROKEN = ended(FAILED, "http_400: no"), ended(FAILED, "http_500: broken")


@pytest.mark.parametrize(
    ("outcomes", "stops"),
    [
        ([REFUSED] * 3, True),
        ([REFUSED] * 2, False),
        ([REFUSED, REFUSED, ended(KEPT), REFUSED], False),
        ([REFUSED, BROKEN, REFUSED, BROKEN, REFUSED], False),
        ([ended(KEPT), REFUSED, REFUSED, REFUSED], True),
        ([REFUSED, ended(BAD_ROW, "line 3"), REFUSED, REFUSED], True),
        ([ended(FAILED, "context_overflow: too long")] * 3, True),
        ([ended(KEPT), *[ended(FAILED, "context_overflow: too long")] * 9], False),
        ([ended("unparsed")] * 3, True),
        ([ended(KEPT), *[ended("unparsed")] * 9], False),
        ([ended("truncated", "cut off", reasoning="hm")] * 3, True),
        ([ended("empty", "no answer", reasoning="")] * 3, True),
        ([ended("truncated", "cut off", reasoning=None)] * 9, False),
        ([ended("tie")] * 9, False),
    ],
)
def test_what_is_a_streak(outcomes: list[Outcome], stops: bool) -> None:
    streak, kept = Streak(3), 0
    for outcome in outcomes:
        kept += outcome.status == KEPT
        streak.add(outcome, kept)
    assert (streak.told("sample") is not None) == stops
    never = Streak(0)
    for outcome in outcomes:
        never.add(outcome, 0)
    assert never.told("sample") is None


COMMANDS: dict[str, tuple[int, str]] = {
    "sample": (1, "sample {rows} --policy {bad} --n 1"),
    "revise": (1, "revise {rows} --reviser {bad}"),
    "judge": (2, "judge {rows} --judge {bad} --protocol text --columns chosen,rejected"),
    "calibrate": (2, "calibrate {rows} --judge {bad} --protocol text"),
    "winrate": (2, "winrate {rows}:chosen {rows}:rejected --judge {bad} --protocol text"),
    "winrate, asking": (1, "winrate {bad} {rows}:rejected --prompts {rows} --judge {bad} --protocol text"),
    "eval": (1, "eval {bad} --prompts {rows} --verify check:math"),
    "score": (6, "score {bad} {rows}"),
}
"""Requests that a row asks at once, and the command."""


@pytest.mark.parametrize(("requests", "command"), COMMANDS.values(), ids=COMMANDS)
def test_a_server_that_refuses_without_saying_why_is_asked_a_few_times(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], requests: int, command: str
) -> None:
    rows = tmp_path / "rows.jsonl"
    row = {"chosen": "It is 4, as we know.", "rejected": "It is five, as we know.", "answer": "4"}
    texts = [json.dumps({"prompt": f"What is {n} + {n}? [[fault:400]]"} | row) for n in range(ROWS)]
    rows.write_text("\n".join(texts))
    with FaultServer() as server:
        argv = command.format(rows=rows, bad=f"openai:m@{server.url}").split()
        code, _, error = run(capfd, *argv, "--out", str(tmp_path / "run"))
        asked = len(server.seen)
    assert code == 1
    assert "10 rows in a row ended alike, failed: http_400" in error
    assert "--max_consecutive_failures 0" in error
    assert asked < ROWS * requests  # ten, and those that were asked before the tenth was heard of
