"""Win rates without the judge's errors: by hand, by simulation, and from the command."""

import json

import numpy as np
import pytest
from runs_on_disk import write_jsonl

from judge.comparison.correction import JudgeErrors, corrected, corrected_by_side
from pairwright.cli import run_command
from pairwright.errors import UsageError
from pairwright.figures.intervals import wilson


def test_a_rate_worked_out_by_hand() -> None:
    """A judge that errs in one of five finds 62 % where people find 70 %."""
    found = corrected(wilson(620, 1000), wilson(800, 1000))
    assert found is not None
    assert found.value == pytest.approx(0.7)
    # Delta method: 1.96 sqrt(.62 · .38 / 1000 + (1 - 1.4)² · .8 · .2 / 1000) / 0.6 = 0.0528.
    assert (found.low, found.high) == pytest.approx((0.7 - 0.0528, 0.7 + 0.0528), abs=2e-3)


def test_a_perfect_judge_corrects_nothing_and_chance_says_nothing() -> None:
    found = corrected(wilson(70, 100), wilson(10_000, 10_000))
    assert found is not None
    assert found == pytest.approx(wilson(70, 100)[:3], abs=1e-3)
    assert corrected(wilson(70, 100), wilson(52, 100)) is None
    assert corrected(wilson(70, 100), wilson(30, 100)) is None


@pytest.mark.parametrize("rate", [0.5, 0.7, 0.9])
@pytest.mark.parametrize(
    ("agreement", "prompts", "labels"), [(0.75, 200, 200), (0.9, 100, 60), (0.65, 1000, 300)]
)
def test_intervals_hold_the_rate_in_95_of_100_worlds(
    rate: float, agreement: float, prompts: int, labels: int
) -> None:
    draw = np.random.default_rng(int(1000 * rate) + prompts)
    right = draw.binomial(labels, agreement, 2000)
    won = draw.binomial(prompts, rate * agreement + (1 - rate) * (1 - agreement), 2000)
    worlds = zip(won.tolist(), right.tolist(), strict=True)
    found = [corrected(wilson(w, prompts), wilson(r, labels)) for w, r in worlds]
    held = [f.low <= rate <= f.high for f in found if f is not None]
    assert len(held) > 1900
    assert 0.93 <= np.mean(held) <= 0.97


def test_a_rate_by_both_sides_worked_out_by_hand() -> None:
    """Right on 90 % of a's and 70 % of b's: of 60 % that people give a, it finds 66 %."""
    found = corrected_by_side(wilson(660, 1000), wilson(360, 400), wilson(280, 400))
    assert found is not None
    assert found.value == pytest.approx(0.6)
    # 1.96 sqrt(.66 · .34 / 1000 + .6² · .9 · .1 / 400 + .4² · .7 · .3 / 400) / 0.6 = 0.0648
    assert (found.low, found.high) == pytest.approx((0.6 - 0.0648, 0.6 + 0.0648), abs=4e-3)
    assert corrected_by_side(wilson(66, 100), wilson(20, 40), wilson(21, 40)) is None


@pytest.mark.parametrize("rate", [0.5, 0.7, 0.85])
@pytest.mark.parametrize(("labels", "prompts"), [(200, 400), (600, 1000)])
def test_intervals_by_both_sides_hold_the_rate_in_95_of_100_worlds(
    rate: float, labels: int, prompts: int
) -> None:
    """Where one agreement for both sides would be off by up to 8 points: 85 % of a's, 68 % of b's."""
    draw = np.random.default_rng(int(1000 * rate) + prompts)
    of_a = draw.binomial(labels, rate, 2000)  # labelled pairs are of the same two models
    right, other = draw.binomial(of_a, 0.85), draw.binomial(labels - of_a, 0.68)
    won = draw.binomial(prompts, rate * 0.85 + (1 - rate) * 0.32, 2000)
    worlds = zip(won.tolist(), of_a.tolist(), right.tolist(), other.tolist(), strict=True)
    found = [
        corrected_by_side(wilson(w, prompts), wilson(r, a), wilson(o, labels - a)) for w, a, r, o in worlds
    ]
    held = [f.low <= rate <= f.high for f in found if f is not None]
    assert len(held) > 1900
    assert 0.93 <= np.mean(held) <= 0.975


@pytest.mark.parametrize("rate", [0.5, 0.8])
@pytest.mark.parametrize("equal", [0.0, 0.3, 0.6])
def test_equal_answers_are_even_and_no_judge_errs_on_them(rate: float, equal: float) -> None:
    draw = np.random.default_rng(int(100 * rate + 10 * equal))
    errors = JudgeErrors(wilson(1, 1), {"a": wilson(270, 300), "b": wilson(180, 300)})
    truth, held = 0.5 * equal + rate * (1 - equal), []
    for _ in range(2000):
        right, other = draw.binomial(300, 0.9), draw.binomial(300, 0.6)
        same = draw.binomial(400, equal)
        won = draw.binomial(400 - same, rate * 0.9 + (1 - rate) * 0.4)
        points = [0.5] * same + [1.0] * won + [0.0] * (400 - same - won)
        rows = [
            {"model_a": "a", "model_b": "b", "points": p, "decision": "identical" if p == 0.5 else "kept"}
            for p in points
        ]
        labelled = {"a": wilson(right, 300), "b": wilson(other, 300)}
        found = errors._replace(by_model=labelled).corrected(rows)
        assert found is not None
        held.append(found.low <= truth <= found.high)
    assert 0.93 <= np.mean(held) <= 0.975


def test_the_command_corrects_by_a_calibration(tmp_path, monkeypatch, capsys):
    """The planted judge likes the word `good`; people disagree with it in one pair of ten."""
    monkeypatch.chdir(tmp_path)
    liked, other = {"chosen": "good", "rejected": "bad"}, {"chosen": "bad", "rejected": "good"}
    labelled = [liked if n % 10 else other for n in range(100)]
    asked = [{"a": "good", "b": "bad"} if n % 10 < 7 else {"a": "bad", "b": "good"} for n in range(100)]
    for name, rows in (("labelled", labelled), ("both", asked)):
        prompted = [{"prompt": f"{name} {n}"} | row for n, row in enumerate(rows)]
        write_jsonl(tmp_path / f"{name}.jsonl", prompted)
    (tmp_path / "own.py").write_text("def good(prompt, answer, row):\n    return float('good' in answer)\n")
    judge = ["--judge", "own.py:good", "--function_processes", "1"]
    run_command(["calibrate", "labelled.jsonl", *judge, "--out", "calibration"])
    compare = ["winrate", "both.jsonl:a", "both.jsonl:b", *judge, "--calibration", "calibration", "--out"]
    run_command([*compare, "winrate"])
    found = json.loads((tmp_path / "winrate" / "winrate.json").read_text())
    assert found["win_rate"][0] == 0.7
    assert found["agreement"][0] == 0.9
    assert found["corrected"][0] == pytest.approx(0.75)
    assert "corrected for the judge" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"calibrated with --min_margin 0\.1, and here it is 0\.5"):
        run_command([*compare, "other", "--min_margin", "0.5"])


def test_the_command_corrects_either_side_by_labels_of_the_same_models(tmp_path, monkeypatch, capsys):
    """The judge sees all of a's good answers, and takes half of b's for bad ones."""
    monkeypatch.chdir(tmp_path)
    a_better = [{"response_a": "good", "response_b": "bad", "preference": 1}] * 60
    b_better = [{"response_a": "bad", "response_b": b, "preference": 2} for b in ["good", "so good"] * 20]
    models = {"model_a": "both.jsonl:a", "model_b": "both.jsonl:b"}
    labelled = [{"prompt": f"labelled {n}"} | models | row for n, row in enumerate(a_better + b_better)]
    write_jsonl(tmp_path / "labelled.jsonl", labelled)
    asked = [{"a": "good", "b": "bad"}] * 6 + [{"a": "bad", "b": b} for b in ["good", "so good"] * 2]
    write_jsonl(
        tmp_path / "both.jsonl", [{"prompt": f"asked {n}"} | row for n, row in enumerate(asked * 10)]
    )
    (tmp_path / "own.py").write_text(
        "def good(prompt, answer, row):\n    return {'good': 1.0, 'bad': 0.5, 'so good': 0.0}[answer]\n"
    )
    judge = ["--judge", "own.py:good", "--function_processes", "1"]
    run_command(["calibrate", "labelled.jsonl", *judge, "--out", "calibration"])
    capsys.readouterr()
    compare = ["winrate", "both.jsonl:a", "both.jsonl:b", *judge, "--calibration", "calibration"]
    run_command([*compare, "--out", "winrate"])
    found = json.loads((tmp_path / "winrate" / "winrate.json").read_text())
    assert found["win_rate"][0] == pytest.approx(0.8)
    assert [rate[0] for rate in found["agreement_by_side"]] == [1.0, 0.5]
    assert found["corrected"][0] == pytest.approx(0.6)
    assert "100.0%, 50.0%" in capsys.readouterr().out
