"""`revise --reverse_constraints`: the prompt that the answer is right for, and a second pair under it."""

from pathlib import Path
from typing import Any

import pytest
from revising import play, row, stage

from pairwright.errors import UsageError
from pairwright.records import Completion, Outcome, Request

ANSWER = "Oaks, elms, and ashes grow in the park, and so do many other kinds of trees."
REVISED = "Oaks and elms and ashes grow in the park and so do many other kinds of trees."
TASK, TURNED = "Name some trees. Use no commas.", "Name some trees. Use commas."


def said(text: str) -> Completion:
    return Completion(text=text, model="m", prompt_tokens=5, completion_tokens=2)


def revised(
    reply: str, *, prompt: Any = (("user", TASK),), **settings: Any
) -> tuple[list[Request], Outcome]:
    revision = said(f"<rationale>commas</rationale>\n<revision>\n{REVISED}\n</revision>")
    return play(stage(reverse_constraints=True, **settings), row(ANSWER, *prompt), revision, said(reply))


def test_under_the_reversed_prompt_the_answer_is_chosen() -> None:
    [_, asked], outcome = revised(f"Here it is.\n<new_task>\n{TURNED}\n</new_task>")
    assert f"<task>\n{TASK}\n</task>" in asked.messages[0].content
    assert f"<answer>\n{ANSWER}\n</answer>" in asked.messages[0].content
    [pair] = outcome.further
    assert pair["prompt"] == [{"role": "user", "content": TURNED}]
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == (ANSWER, REVISED)
    assert (pair["source"], outcome.columns["source"]) == ("clair_reversed", "clair")
    assert (outcome.columns["reversal"], outcome.columns["completion_tokens"]) == ("kept", 4)
    assert set(outcome.columns) <= {*stage(reverse_constraints=True).schema.names}


def test_the_last_of_several_turns_is_turned_round() -> None:
    turns = (("user", "Hello."), ("assistant", "Hi."), ("user", TASK))
    [_, asked], outcome = revised(f"<new_task>{TURNED}</new_task>", prompt=turns)
    assert "Assistant: Hi." in asked.messages[0].content
    assert [m["content"] for m in outcome.further[0]["prompt"]] == ["Hello.", "Hi.", TURNED]


@pytest.mark.parametrize(
    ("reply", "why"),
    [("I cannot.", "unparsed"), (f"<new_task>{TASK} </new_task>", "unchanged"), ("<new_task>", "unparsed")],
)
def test_a_reply_that_turns_nothing_leaves_the_first_pair_alone(reply: str, why: str) -> None:
    _, outcome = revised(reply)
    assert (outcome.status, outcome.further, outcome.columns["reversal"]) == ("kept", (), why)


@pytest.mark.parametrize(("turned", "kept"), [(TURNED, 1), ("Name some trees. Use no comma at all.", 0)])
def test_a_verifier_sees_the_answers_under_the_reversed_prompt(
    turned: str, kept: int, tmp_path: Path
) -> None:
    checks = tmp_path / "checks.py"
    checks.write_text(
        "def passes(prompt, answer, row):\n    return (',' in answer) != ('no comma' in str(prompt))\n"
    )
    verified = stage(reverse_constraints=True, verify=f"{checks}:passes")
    work, outcome = verified.work(row(ANSWER, ("user", TASK)), 0), None
    replies = iter([f"<revision>\n{REVISED}\n</revision>", f"<new_task>{turned}</new_task>"])
    step = next(work)
    try:
        while True:
            step = work.send([_answer(request, replies) for request in step])
    except StopIteration as stop:
        outcome = stop.value
    assert (outcome.status, len(outcome.further)) == ("kept", kept)
    assert outcome.columns["reversal"] == ("kept" if kept else "unverified")


def _answer(request: Request, replies: Any) -> Completion:
    """The reviser's next reply, or what the function says of the answer."""
    if request.role == "reviser":
        return said(next(replies))
    *prompt, answer = (message.content for message in request.messages)
    good = ("," in answer) != ("no comma" in " ".join(prompt))
    return Completion(text="true" if good else "false", model="f")


def test_a_function_writes_no_prompts(tmp_path: Path) -> None:
    (tmp_path / "mend.py").write_text("def mend(prompt, answer, row):\n    return answer + '.'\n")
    with pytest.raises(
        UsageError, match="the reviser is a function; name prompts of your own with --mirror"
    ):
        stage(reverse_constraints=True, reviser=f"python:{tmp_path}/mend.py:mend")
