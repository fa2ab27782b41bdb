"""Models measured by verifiers: numbers by hand, by column, resumed, refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from runs_on_disk import write_jsonl

from judge.evaluation.command import evaluate
from judge.evaluation.config import EvaluateConfig
from judge.evaluation.measures import Evaluation, load_evaluation
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.shards import read_tables

CHECKS = """
def right(prompt, answer, row):
    if row["gold"] is None: return None
    if answer == "break": raise ValueError("broken")
    return row["gold"] in answer, "" if row["gold"] in answer else f"it is {row['gold']}"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("checks.py").write_text(CHECKS)
    prompts = [
        {"prompt": f"What is {n} + 1?", "gold": str(n + 1), "kind": "even" if n % 2 else "odd",
         "tags": ["sum", "small"] if n < 3 else ["sum"]}
        for n in range(1, 7)
    ]  # fmt: skip
    write_jsonl(Path("prompts.jsonl"), prompts)


def model(name: str, right: list[int], more: dict[int, str] | None = None) -> str:
    """A model that is right on the sums of these numbers, and says "?" else."""
    answers = {n: f"It is {n + 1}." if n in right else "?" for n in range(1, 7)} | (more or {})
    lines = [
        {"match": f"What is {n} +", "text": text, "completion_tokens": 5, "finish_reason": "stop"}
        for n, text in answers.items()
    ]
    return f"canned:{write_jsonl(Path(f'{name}.jsonl'), lines)}"


def measured(models: Any, **settings: Any) -> Evaluation:
    values = {
        "prompts": "prompts.jsonl", "verify": "checks.py:right", "out": "out", "function_processes": 1,
        "bootstrap_samples": 500,
    }  # fmt: skip
    evaluate(EvaluateConfig(models=models, **(values | settings)))
    return load_evaluation(Path("out"))


def test_rates_differences_and_examples() -> None:
    found = measured([model("a", [1, 2]), model("b", [2, 3, 4, 5])], by="kind,tags")
    a, b = found.models
    assert (a.pass_rate.value, b.pass_rate.value) == pytest.approx((2 / 6, 4 / 6))
    assert b.difference is not None
    assert b.difference.value == pytest.approx(2 / 6)
    assert (b.won, b.lost) == (3, 1)
    assert b.mcnemar == pytest.approx(2 * (1 + 4) / 2**4)  # 3 against 1: both tails of B(4, 1/2)
    assert found.verdict.endswith("is not shown to differ from canned:a.jsonl")
    assert (a.mean_tokens, a.ended) == (5.0, 1.0)
    assert {kind: [m.pass_rate.value for m in models] for kind, models in found.by["kind"].items()} == {
        "odd": pytest.approx([1 / 3, 2 / 3]), "even": pytest.approx([1 / 3, 2 / 3]),
    }  # fmt: skip
    assert found.by["tags"]["small"][0].prompts == 2  # a list counts for each of its values
    [compared] = found.examples
    assert len(compared.won) == 3
    assert compared.lost[0].prompt == "What is 1 + 1?"
    assert (compared.lost[0].first, compared.lost[0].other) == ("It is 2.", "?")
    assert compared.lost[0].feedback == "it is 2"


def test_rows_hold_every_answer_with_its_score() -> None:
    measured(model("a", [1]))
    rows = [row for table in read_tables(Path("out")) for row in table.to_pylist()]
    assert len(rows) == 6
    assert sorted(row["passed"] for row in rows) == [False] * 5 + [True]
    right = next(row for row in rows if row["passed"])
    assert (right["gold"], right["score"], right["completion_model"]) == ("2", 1.0, "canned:a.jsonl")


def test_several_answers_give_pass_at_k() -> None:
    lines = [{"text": "It is 2."}, {"text": "?"}]
    Path("prompts.jsonl").write_text('{"prompt": "What is 1 + 1?", "gold": "2"}\n')
    found = measured(f"canned:{write_jsonl(Path('m.jsonl'), lines)}", n=8, k=2)
    [one] = found.models
    right = round(one.pass_rate.value * 8)
    assert 0 < right < 8
    wrong = 8 - right
    assert one.pass_at_k == pytest.approx(1 - (wrong * (wrong - 1)) / (8 * 7))


def test_what_does_not_apply_or_breaks_is_counted_and_left_out() -> None:
    rows = [json.loads(line) for line in Path("prompts.jsonl").read_text().splitlines()]
    rows[0]["gold"] = None
    write_jsonl(Path("prompts.jsonl"), rows)
    found = measured(model("a", [2], {3: "break"}))
    assert (found.prompts, found.unscored, found.failed) == (4, 1, 1)
    assert found.models[0].pass_rate.value == 0.25
    reasons = [row["reason"] for table in read_tables(Path("out"), "dropped") for row in table.to_pylist()]
    assert any("ValueError: broken (checks.py, line 4)" in reason for reason in reasons)


def test_a_second_run_asks_nothing_and_a_new_mark_sorts_again(caplog: pytest.LogCaptureFixture) -> None:
    models = [model("a", [1, 2]), model("b", [2])]
    first = measured(models)
    assert measured(models) == first
    assert measured(models, min_score=2).models[0].pass_rate.value == 0.0
    with pytest.raises(UsageError, match="max_tokens"):
        measured(models, max_tokens=7)


def test_suites_bring_their_verifier_and_read_files() -> None:
    write_jsonl(Path("gsm8k.jsonl"), [
        {"question": "What is 9 * 2?", "answer": "9 * 2 = <<9*2=18>>18\n#### 18"},
        {"question": "What is 8 * 2?", "answer": "8 * 2 = <<8*2=16>>16\n#### 16"},
    ])  # fmt: skip
    says = f"canned:{write_jsonl(Path('m.jsonl'), [{'text': 'It is 18 dollars.'}])}"
    found = measured(says, prompts="gsm8k.jsonl", suite="gsm8k", verify=None)
    assert (found.verify, found.models[0].pass_rate.value) == ("check:math(gold=answer)", 0.5)
    write_jsonl(Path("ifeval.jsonl"), [
        {"key": 1, "prompt": "No commas, and say oak.", "kwargs": [{}, {"keywords": ["oak"]}],
         "instruction_id_list": ["punctuation:no_comma", "keywords:existence"]},
        {"key": 2, "prompt": "No commas.", "kwargs": [{}], "instruction_id_list": ["punctuation:no_comma"]},
    ])  # fmt: skip
    found = measured(says, prompts="ifeval.jsonl", suite="ifeval", verify=None, fresh=True)
    assert found.models[0].pass_rate.value == 0.5
    assert found.models[0].instructions == pytest.approx(2 / 3)
    assert set(found.by["instruction_id_list"]) == {"punctuation:no_comma", "keywords:existence"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"verify": None}, "--verify must be given, or a --suite"),
        ({"prompts": None, "verify": None}, "--prompts and --verify must be given"),
        ({"by": "color"}, "no column `color` (--by); there are `gold`, `kind`, `tags`"),
        ({"k": 2}, "--k 2: pass@k wants at least k answers"),
        ({"n": 2, "temperature": 0}, "at --temperature 0 all answers are the same"),
        ({"verify": "check:ifeval"}, "check:ifeval wants the columns"),
        (
            {"verify": "canned:a.jsonl"},
            "--min_score must be given: canned:a.jsonl defines no passing score",
        ),
        ({"models": ""}, "name a model to measure"),
        ({"models": "canned:a.jsonl,canned:a.jsonl"}, "a model is named twice"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(
    settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as error:
        measured(**({"models": model("a", [1])} | settings))
    assert sentence in str(error.value)
    assert not Path("out").exists()


def test_nothing_scored_is_said() -> None:
    Path("prompts.jsonl").write_text('{"prompt": "What is 1 + 1?", "gold": null}\n')
    with pytest.raises(PairwrightError, match=r"no prompt was scored; the reasons are in .*/dropped"):
        measured(model("a", [1]))


def test_the_report_shows_won_and_lost_prompts_side_by_side() -> None:
    from pairwright.reports.report import ReportConfig, report

    hostile = "<script>alert(1)</script>"
    measured([model("a", [1, 2]), model("b", [2, 3], {1: hostile})])
    report(ReportConfig(runs=("out",), out="page.html"))
    page = Path("page.html").read_text()
    assert "Prompts that canned:b.jsonl won" in page
    assert "Prompts that canned:b.jsonl lost" in page
    assert "does not pass: it is 2" in page
    assert hostile not in page
