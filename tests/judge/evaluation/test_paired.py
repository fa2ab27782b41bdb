"""Evaluations compare on the same prompts: what lacks a score is left out for all, repeats are said."""

import io
import logging
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from runs_on_disk import write_jsonl

import pairwright as pw
from judge.evaluation.command import evaluate
from judge.evaluation.config import EvaluateConfig
from judge.evaluation.measures import Evaluation, load_evaluation
from judge.evaluation.table import evaluation_tables
from pairwright.folders.shards import read_tables


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v.py").write_text("def v(prompt, answer, row): return None if answer == 'no' else 1.0\n")
    write_jsonl(Path("yes.jsonl"), [{"text": "yes", "prompt_tokens": 3, "completion_tokens": 5}])
    write_jsonl(Path("no.jsonl"), [
        {"match": "Is 1", "text": "no", "prompt_tokens": 3, "completion_tokens": 5}, {"text": "yes"},
    ])  # fmt: skip


def measured(
    prompts: list[dict[str, Any]], models: str = "canned:yes.jsonl,canned:no.jsonl", **more: Any
) -> Evaluation:
    write_jsonl(Path("prompts.jsonl"), prompts)
    settings = {"verify": "v.py:v", "function_processes": 1, "bootstrap_samples": 100} | more
    evaluate(EvaluateConfig(models=models, prompts="prompts.jsonl", out="out", **settings))
    return load_evaluation(Path("out"))


def shown(found: Evaluation) -> str:
    out = Console(file=io.StringIO(), width=120)
    for table in evaluation_tables(found):
        out.print(table)
    return out.file.getvalue()  # type: ignore[attr-defined]


def test_a_prompt_that_one_model_has_no_score_for_is_left_out_for_all() -> None:
    found = measured([{"prompt": f"Is {n}?"} for n in (1, 2, 3)])
    assert (found.prompts, found.unscored) == (2, 1)
    assert [(m.pass_rate.value, m.mean_score, m.prompts) for m in found.models] == [(1.0, 1.0, 2)] * 2
    [row] = [row for table in read_tables(Path("out"), "dropped") for row in table.to_pylist()]
    assert row["reason"] == (
        "no score for an answer of canned:no.jsonl: left out for all models, so they are compared alike"
    )
    assert row["completion"][0]["content"] == "no"
    assert (row["prompt_tokens"], row["completion_tokens"]) == (6, 10)  # of both answers
    assert "unscored, failed prompts" in shown(found)


def test_prompts_that_stand_there_twice_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = measured([{"prompt": f"Is {n}?"} for n in (2, 3, 2, 2, 3)])
    assert (found.prompts, found.repeats) == (5, 3)
    assert "3 of the 5 prompts are another's text again" in caplog.text
    assert "5 prompts (3 of them repeats), verified by v.py:v" in shown(found)


def test_an_empty_list_is_a_group_of_its_own() -> None:
    found = measured([{"prompt": "Is 2?", "tags": ["a", "b"]}, {"prompt": "Is 3?", "tags": []}], by="tags")
    assert {value: models[0].prompts for value, models in found.by["tags"].items()} == {
        "a": 1,
        "b": 1,
        "none": 1,
    }


def test_models_may_be_functions_handed_over_from_python() -> None:
    def says(messages: Any) -> str:
        return "yes"

    def shouts(messages: Any) -> str:
        return "YES"

    def right(prompt: str, answer: str, row: Any) -> bool:
        return answer == "yes"

    write_jsonl(Path("prompts.jsonl"), [{"prompt": "Is 2?"}])
    found = pw.evaluate(
        [says, shouts], prompts="prompts.jsonl", verify=right, out="out", function_processes=1
    )
    assert [m["pass_rate"][0] for m in found.figures.evaluation["models"]] == [1.0, 0.0]
