"""Win rates without the judge's errors: by hand, by simulation, and from the command."""

import json

import numpy as np
import pytest
from runs_on_disk import write_jsonl

from judge.comparison.correction import corrected
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
