"""What functions of every form are given, and what is made of what they return."""

import asyncio
import functools
import json
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import numpy as np
import pytest

from pairwright.engines.verifiers.calling import Caller, Item, Kind
from pairwright.engines.verifiers.function import REVISER, VERIFIER, form_of, require_columns
from pairwright.engines.verifiers.lookup import look_up
from pairwright.errors import UsageError
from pairwright.plugins import named


def item(answer: str, **row: Any) -> Item:
    return Item("What is 6 x 7?", [{"role": "user", "content": "What is 6 x 7?"}], answer, row)


def called(function: Callable[..., Any], *items: Item, kind: Kind = "score") -> list[Any]:
    """Scores, (score, feedback), texts; or a failure as a string that begins with `!`."""
    VERIFIER.check("checks.py:function", function) if kind == "score" else REVISER.check("f", function)
    results = dict(Caller(function, form_of(function), kind, 1.0).results(items))
    found: list[Any] = []
    for place in range(len(items)):
        value, failure = results[place]
        read = None if value is None else json.loads(value)
        if failure is not None:
            found.append(f"!{failure}")
        elif isinstance(read, dict):
            found.append((read["score"], read["feedback"]) if read["feedback"] else read["score"])
        else:
            found.append(read)
    return found


def test_the_plain_form_sees_prompt_answer_and_every_column() -> None:
    def right(prompt: str, answer: str, row: dict[str, Any]) -> tuple[bool, str]:
        assert prompt == "What is 6 x 7?"
        assert row["prompt"] == [{"role": "user", "content": prompt}]
        return answer == row["gold"], f"it is {row['gold']}"

    assert called(right, item("42", gold="42"), item("43", gold="42")) == [
        (1.0, "it is 42"),
        (0.0, "it is 42"),
    ]


@pytest.mark.parametrize(
    "function",
    [
        lambda answer, prompt, row: "yes" in answer,
        lambda prompt, row, answer: True,
        lambda completion, solution, row: True,
        lambda text, answer, prompt=None: True,
    ],
)
def test_an_answer_is_never_taken_for_a_prompt(function: Callable[..., Any]) -> None:
    for wanted in (VERIFIER, REVISER):
        with pytest.raises(UsageError, match=r"is written `def f\(prompt, answer, row\)"):
            wanted.check("f", function)


def said(completion: list[dict[str, str]]) -> str:
    return completion[0]["content"]


def test_reward_functions_of_trl_work_unchanged_on_texts_and_on_messages() -> None:
    def on_texts(completions, **kwargs):  # type: ignore[no-untyped-def]  # from TRL's documentation
        return [float(len(completion)) for completion in completions]

    def on_messages(completions, solution, **kwargs):  # type: ignore[no-untyped-def]
        contents = [completion[0]["content"] for completion in completions]
        return [None if s is None else float(c == s) for c, s in zip(contents, solution, strict=True)]

    def of_prompts(prompts, completions):  # type: ignore[no-untyped-def]
        return [
            p[-1]["role"] == "user" and said(c) != "" for p, c in zip(prompts, completions, strict=True)
        ]

    def annotated(completions: list[str], **kwargs):  # type: ignore[no-untyped-def]
        return ["content" not in completion for completion in completions]

    answers = [item("42", solution="42"), item("6", solution="7"), item("?", solution=None)]
    assert called(on_texts, *answers) == [2.0, 1.0, 1.0]
    assert called(on_messages, *answers) == [1.0, 0.0, None]
    assert called(of_prompts, *answers) == [1.0, 1.0, 1.0]
    assert called(annotated, *answers) == [1.0, 1.0, 1.0]


def test_an_exception_in_a_batch_is_that_of_its_own_row() -> None:
    def picky(completions, prompts, **columns):  # type: ignore[no-untyped-def]
        if "bad" in completions:
            raise ValueError("no number in it")
        return [1.0] * len(completions)

    good, bad, also_good = called(picky, item("a"), item("bad"), item("b"))
    assert (good, also_good) == (1.0, 1.0)
    assert bad.startswith("!ValueError: no number in it (test_calling.py, line ")


def test_async_functions_of_both_forms_are_awaited_and_timed() -> None:
    import asyncio

    async def plain(prompt: str, answer: str, row: Any) -> bool:
        await asyncio.sleep(9 if answer == "slow" else 0.0)
        return answer == "42"

    async def batched(completions, **columns):  # type: ignore[no-untyped-def]
        await asyncio.sleep(0)
        return [c == "42" for c in completions]

    assert called(batched, item("42"), item("7")) == [1.0, 0.0]
    results = dict(Caller(plain, form_of(plain), "score", 0.05).results([item("42"), item("slow")]))
    assert results[0].failure is None
    assert results[1].failure == "took longer than 0.05 s"


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (float("nan"), "!returned nan, which is no score"),
        (float("-inf"), "!returned -inf, which is no score"),
        ("yes", "!returned 'yes'; bool, number, None or (score, feedback) is wanted"),
        (10**400, f"!returned 1{'0' * 59}…; bool, number, None or (score, feedback) is wanted"),
        (
            np.array([1.0, 2.0]),
            "!returned array([1., 2.]); bool, number, None or (score, feedback) is wanted",
        ),
        ([1.0], "!returned [1.0]; bool, number, None or (score, feedback) is wanted"),
        (None, None),
        (True, 1.0),
        ((0.5, None), 0.5),
        ((False, "too short"), (0.0, "too short")),
    ],
)
def test_what_is_returned_is_a_score_or_said_to_be_none(returned: Any, said: Any) -> None:
    assert called(lambda prompt, answer, row: returned, item("42")) == [said]


def test_numbers_of_numpy_and_torch_are_numbers() -> None:
    import numpy as np
    import torch

    values = iter([np.float32(0.5), np.bool_(True), torch.tensor(0.25)])
    assert called(lambda p, a, r: next(values), *[item("a")] * 3) == [0.5, 1.0, 0.25]
    assert called(lambda completions, **k: torch.ones(len(completions)), item("a"), item("b")) == [1.0, 1.0]


def test_the_wrong_number_of_scores_fails_the_batch() -> None:
    assert (
        called(lambda completions, **k: [1.0], item("a"), item("b"))
        == ["!returned 1 score for 2 completions"] * 2
    )


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    [said] = called(lambda p, a, row: row["gold"], item("42", solution="42"))
    assert "the row has no column `gold`; it has `prompt`, `solution`" in said

    def rewards(completions, gold, **columns):  # type: ignore[no-untyped-def]
        return [1.0]

    assert form_of(rewards).wants == ("gold",)
    with pytest.raises(UsageError, match=r"wants the column `gold`.*they have `solution`"):
        require_columns("checks.py:rewards", form_of(rewards).wants, ["solution"])
    with pytest.raises(UsageError, match="`completion_ids`, which only TRL's trainers have"):
        require_columns("x.py:f", ("completion_ids",), ["solution"])
    require_columns("check:math", ("solution|gold",), ["gold"])
    with pytest.raises(UsageError, match="wants the column `solution` or `gold`, which"):
        require_columns("check:math", ("solution|gold",), ["answer"])


def test_exits_are_failures_too() -> None:
    def leaves(prompt: str, answer: str, row: Any) -> bool:
        raise SystemExit("enough")

    [said] = called(leaves, item("42"))
    assert said.startswith("!SystemExit: enough (test_calling.py, line ")


def test_revisers_give_a_text_or_nothing() -> None:
    def mend(prompt: str, answer: str, row: Any) -> Any:
        return {"42": None, "number": 42}.get(answer, answer.upper())

    assert called(mend, item("ab"), item("42"), kind="revision") == ["AB", None]
    [said] = called(mend, item("number"), kind="revision")
    assert said == "!returned 42; a text or None is wanted"


def test_partials_and_callable_objects_are_functions() -> None:
    class Longer:
        def __init__(self, least: int) -> None:
            self.least = least

        def __call__(self, prompt: str, answer: str, row: Any) -> bool:
            return len(answer) >= self.least

    def contains(word: str, prompt: str, answer: str, row: Any) -> bool:
        return word in answer

    assert called(Longer(3), item("42")) == [0.0]
    assert called(functools.partial(contains, "4"), item("42")) == [1.0]


def test_another_signature_is_shown_the_right_ones() -> None:
    with pytest.raises(UsageError) as error:
        VERIFIER.check("checks.py:short", lambda answer: True)
    assert "def short(prompt, answer, row) -> bool | float | (score, feedback)" in str(error.value)
    assert "def short(completions, prompts, **columns)" in str(error.value)


HALF, MARKED = "says \ud83d", "says \ufffd"


@pytest.mark.parametrize(
    ("kind", "returned", "said"),
    [
        ("score", (False, HALF), (0.0, MARKED)),
        ("score", (None, HALF), (None, MARKED)),
        ("revision", HALF, MARKED),
    ],
)
def test_half_a_character_is_marked_as_what_cannot_be_written(kind: Kind, returned: Any, said: Any) -> None:
    assert called(lambda prompt, answer, row: returned, item("42"), kind=kind) == [said]


def test_half_a_character_of_a_policy_or_of_an_exception_is_marked_too() -> None:
    def breaks(prompt: str, answer: str, row: Any) -> bool:
        raise ValueError(HALF)

    [failure] = called(breaks, item("42"))
    assert failure.startswith(f"!ValueError: {MARKED} (test_calling.py")
    answers = Caller(lambda messages: HALF, form_of(lambda messages: HALF), "text", 1.0).results([item("")])
    assert [result.value for _, result in answers] == [MARKED]


def test_what_can_be_awaited_is_awaited_however_it_is_handed_over() -> None:
    async def right(prompt: str, answer: str, row: Any) -> bool:
        await asyncio.sleep(0)
        return answer == "42"

    @functools.wraps(right)
    def begun(*given: Any) -> Any:
        return right(*given)

    @functools.wraps(right)
    def ended(*given: Any) -> bool:
        return asyncio.run(right(*given))

    for function in (lambda p, a, r: right(p, a, r), begun, ended):
        assert called(function, item("42"), item("43")) == [1.0, 0.0]


def test_a_function_that_remembers_is_told_what_to_remember_by() -> None:
    @functools.lru_cache
    def right(prompt: str, answer: str, row: Any) -> bool:
        return True

    [failure] = called(right, item("42"))
    assert "unhashable type: 'Columns'" in failure
    assert failure.endswith("put lru_cache on a function of texts")


def test_an_exception_without_words_is_told_by_its_type_and_line() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def breaks(prompt: str, answer: str, row: Any) -> bool:
        raise Mute

    [failure] = called(breaks, item("42"))
    assert failure.startswith("!Mute: its message cannot be shown (RuntimeError) (test_calling.py, line ")


@pytest.mark.parametrize("returned", [{"a": 1.0, "b": 0.0}, {1.0, 0.0}])
def test_scores_that_are_not_in_order_are_refused(returned: Any) -> None:
    found = called(lambda completions, **columns: returned, item("a"), item("b"))
    assert found == [f"!returned {returned}; a list of numbers or None is wanted"] * 2


def test_a_partial_can_be_handed_over_and_harms_no_other() -> None:
    def has(word: str, prompt: str, answer: str, row: Any) -> bool:
        return word in answer

    for function in (functools.partial(has, "!"), lambda prompt, answer, row: answer == "a!"):
        found = look_up(named(function), "score")
        assert pickle.loads(found.make)()("", "a!", {})
    assert "functools" not in cloudpickle.list_registry_pickle_by_value()
