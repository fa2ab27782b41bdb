"""Changes that must not matter, tried on judges who fall for some of them; and LLMBar's subsets."""

import json
from pathlib import Path

import pytest
from planted_judge import candidates, choosing, plant, seed
from runs_on_disk import rows_of, write_jsonl

from judge.calibration.calibration import load_calibration
from judge.calibration.command import calibrate
from judge.calibration.config import CalibrateConfig
from judge.calibration.stage import CalibrateStage
from judge.calibration.suites import subset_of
from pairwright.cli import run_command
from pairwright.errors import UsageError
from pairwright.figures.intervals import wilson


def perturbed(folder, better, **settings):
    """A calibration of a planted judge on 20 pairs, with every change."""
    rows = [
        {"prompt": f"Q{n}?", "chosen": f"Right answer {n}.", "rejected": f"Wrong answer {n}."}
        for n in range(20)
    ]
    pairs = write_jsonl(folder / "pairs.jsonl", rows)
    judge = f"canned:{seed(folder / 'judge.jsonl')}"
    values = {"perturb": "all", "input": str(pairs), "out": str(folder / "run"), "judge": judge}
    config = CalibrateConfig(**values | settings)
    plant(folder / "judge.jsonl", CalibrateStage(config), candidates(pairs), choosing(better))
    calibrate(config)
    return load_calibration(folder / "run").by_perturbation


def test_a_judge_that_reads_the_answers_is_turned_by_nothing(tmp_path):
    found = perturbed(tmp_path, lambda asked: "Right answer" in asked.first)
    assert list(found) == ["order", "labels", "instruction", "format", "verbosity"]
    assert {effect.turned for effect in found.values()} == {wilson(0, 20)}
    assert found["labels"].shift == pytest.approx((0, 0, 0))
    assert found["verbosity"].agreement == wilson(20, 20)


def test_what_a_judge_falls_for_is_found_and_nothing_else(tmp_path):
    """It likes headings, takes whatever stands first in other words, and is right otherwise."""

    def better(asked):
        if "Two responses to one task" in asked.text:
            return True
        if "## Answer" in asked.first + asked.second:
            return "## Answer" in asked.first
        return "Right" in asked.first

    found = perturbed(tmp_path, better)
    turned = {name: effect.turned.value for name, effect in found.items()}
    assert turned == {"order": 0, "labels": 0, "instruction": 1, "format": 1, "verbosity": 0}
    assert found["format"].shift == pytest.approx((-0.8, -0.8, -0.8))  # from 0.9 to 0.1, always
    assert found["format"].agreement.value == 0
    assert found["instruction"].shift[0] == pytest.approx(-0.4)
    row = rows_of(tmp_path / "run")[0]["perturbations"]
    assert row[0] == pytest.approx({"name": "order", "before": 0.9, "after": 0.9})


def test_order_is_told_by_the_verdicts_that_are_there(tmp_path):
    found = perturbed(tmp_path, lambda _: True, perturb="order")
    assert found["order"].turned.value == 1
    assert found["order"].shift == pytest.approx((-0.8, -0.8, -0.8))


def test_changes_that_are_none_are_refused(tmp_path):
    for wanted, more, words in (
        ("colour", {}, "--perturb colour: choose all, or some of order"),
        ("instruction", {"judge": "check:length(words=1..9)"}, "rewords a built-in template"),
    ):
        with pytest.raises(UsageError, match=words):
            perturbed(tmp_path, lambda _: True, perturb=wanted, **more)


def test_llmbar_is_measured_by_subset(tmp_path, monkeypatch):
    """Published files: a longer answer is right in all natural pairs and in none of the others."""
    monkeypatch.chdir(tmp_path)
    long, short = "A long answer indeed.", "Short."
    for place, right in (("Natural", long), ("Adversarial/Neighbor", short), ("Adversarial/Manual", short)):
        rows = [{"input": f"{place} {n}", "output_1": long, "output_2": short} for n in range(5)]
        labelled = [row | {"label": 1 if right == long else 2} for row in rows]
        folder = tmp_path / "LLMBar" / place
        folder.mkdir(parents=True)
        (folder / "dataset.json").write_text(json.dumps(labelled))
    (tmp_path / "own.py").write_text("def f(prompt, answer, row):\n    return len(answer) / 100\n")
    judge = ["--judge", "own.py:f", "--function_processes", "1"]
    run_command(["calibrate", "LLMBar", "--suite", "llmbar", *judge, "--out", "run"])
    found = load_calibration(tmp_path / "run").by_value
    assert {name: beside.longest.value for name, beside in found.items()} == {
        "adversarial": 0, "adversarial: manual": 0, "adversarial: neighbor": 0, "natural": 1,
    }  # fmt: skip
    assert found["adversarial"].agreement.n == 10
    assert subset_of(Path("llmbar_adversarial_neighbor.jsonl")) == "adversarial: neighbor"
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(UsageError, match=r"other\.json: names no subset of LLMBar"):
        run_command(["calibrate", "other.json", "--suite", "llmbar", *judge, "--out", "x"])
