"""Judges and reward models where a verifier is wanted."""

import math
from pathlib import Path
from typing import Any

import pytest
from planted_judge import question
from reward_toy import save_reward_model
from runs_on_disk import write_jsonl

from judge.jury.verifier import JudgeVerifier
from pairwright.inputs.row import Row
from pairwright.records import Completion, Message, Request
from pairwright.stages.verifying import Said
from revise import ReviseConfig, revise

GOOD, POOR = "Canberra is the capital.", "Sydney is the capital."
ROW = Row("id", "pid", 0, (Message(role="user", content="What is the capital?"),), None, {})


def replies(path: Path) -> str:
    return f"canned:{write_jsonl(path, [{'text': 'A', 'top_logprobs': [{'A': -0.1}]}])}"


def asked(verifier: JudgeVerifier, answers: list[str], reply: Any) -> tuple[list[Request], list[Said]]:
    asking, seen = verifier.scores(ROW, answers), []
    step = next(asking)
    while True:
        seen += step
        try:
            step = asking.send([reply(request) for request in step])
        except StopIteration as stop:
            return seen, stop.value


def choose(prefers_first: Any, sure: float = 0.9) -> Any:
    def reply(request: Request) -> Completion:
        found = question(request)
        best, other = found.labels if prefers_first(found) else found.labels[::-1]
        return Completion(text=best, top_logprobs=({best: math.log(sure), other: math.log(1 - sure)},))

    return reply


def test_a_judge_compares_an_answer_with_its_revision_in_both_orders(tmp_path: Path) -> None:
    judge = JudgeVerifier("verifier", replies(tmp_path / "judge.jsonl"))
    seen, found = asked(judge, [POOR, GOOD], choose(lambda q: q.first == GOOD))
    assert [request.role for request in seen] == ["verifier"] * 2
    assert [said.score for said in found] == pytest.approx([0.1, 0.9])
    assert judge.compares


def test_a_judge_that_goes_by_the_order_prefers_neither(tmp_path: Path) -> None:
    judge = JudgeVerifier("verifier", replies(tmp_path / "judge.jsonl"))
    _, found = asked(judge, [POOR, GOOD], choose(lambda q: True))
    assert [said.score for said in found] == [0.5, 0.5]
    assert "when the order is turned round" in found[1].feedback


def test_a_judge_rates_answers_one_by_one_where_there_is_nothing_to_compare(tmp_path: Path) -> None:
    judge = JudgeVerifier("verifier", replies(tmp_path / "judge.jsonl"), rating=True)

    def reply(request: Request) -> Completion:
        digit = "5" if GOOD in request.messages[-1].content else "2"
        return Completion(text=digit, top_logprobs=({digit: 0.0},))

    _, found = asked(judge, [POOR, GOOD], reply)
    assert [said.score for said in found] == pytest.approx([0.25, 1.0])


def test_a_reward_model_verifies_revisions(tmp_path: Path) -> None:
    reward = save_reward_model(tmp_path / "reward")
    (tmp_path / "mend.py").write_text(
        "def mend(prompt, answer, row):\n    return answer.replace('Sydney', 'Canberra')\n"
        "def spoil(prompt, answer, row):\n    return answer.replace('Canberra', 'Sydney')\n"
    )
    statuses = []
    for name, answer in (("mend", POOR), ("spoil", GOOD)):
        rows = write_jsonl(tmp_path / f"{name}.jsonl", [{"prompt": "The capital?", "response": answer}])
        config = ReviseConfig(
            input=str(rows), out=str(tmp_path / name), verify=f"reward:{reward}",
            reviser=f"python:{tmp_path}/mend.py:{name}", function_processes=1,
        )  # fmt: skip
        manifest = revise(config)
        assert manifest is not None
        statuses += manifest.counts
    assert sorted(statuses) == ["kept", "unverified"]  # one direction scores higher, the other lower
