"""Win rates: numbers worked out by hand, planted judges, and answers that do not match."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_judge import choosing, plant, seed
from runs_on_disk import rows_of, write_jsonl
from scipy.optimize import minimize

from judge.comparison.command import WinrateConfig, load_winrate, winrate
from judge.comparison.matching import Answers, Matched, Side
from judge.comparison.stage import WinrateStage
from judge.comparison.statistics import RIDGE, LengthFit, fit_length, length_feature, win_rates
from pairwright.cli import run_command
from pairwright.errors import UsageError
from pairwright.inputs.columns import Columns
from pairwright.records import Sampling


def test_the_length_fit_is_the_one_worked_out_by_hand():
    """Four wins of five where a is longer, one of five where it is shorter: all of it is length."""
    points = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0.0] * 100)
    feature = np.array([0.5] * 5 + [-0.5] * 5 * 1).tolist() * 100
    fit = fit_length(points, np.array(feature))
    assert fit.win_rate == pytest.approx(0.5)
    assert fit.length == pytest.approx(math.log(4) / 0.5, rel=1e-3)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0, 1))
def test_the_length_fit_is_the_maximum_of_its_likelihood(seed: int, count: int, p: float) -> None:
    draw = np.random.default_rng(seed)
    points = draw.choice([0, 0.5, 1], count, p=[(1 - p) * 0.9, 0.1, p * 0.9])
    feature = length_feature(draw.normal(0, 100, count).round())

    def loss(theta: np.ndarray) -> float:
        z = theta[0] + theta[1] * feature
        return np.logaddexp(0, z).sum() - points @ z + RIDGE / 2 * theta @ theta

    fit = np.array(fit_length(points, feature))
    theirs = minimize(loss, fit + 0.01, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert loss(fit) <= theirs.fun + 1e-9
    assert fit_length(points, feature).win_rate == pytest.approx(LengthFit(*theirs.x).win_rate, abs=1e-5)


def test_equal_lengths_leave_the_raw_rate_and_swapping_turns_it_round():
    points = np.array([1, 1, 1, 0.5, 0.0] * 40)
    assert fit_length(points, np.zeros(200)).win_rate == pytest.approx(0.7, abs=1e-4)
    lengths = np.arange(200.0) - 30
    one, other = (fit_length(p, length_feature(s * lengths)) for p, s in ((points, 1), (1 - points, -1)))
    assert one.win_rate == pytest.approx(1 - other.win_rate)
    assert length_feature(np.array([1.0, -1.0]))[0] == pytest.approx(math.tanh(1 / math.sqrt(2)))


def test_winning_everything_is_finite_and_intervals_hold_the_value():
    raw, controlled = win_rates(np.ones(30), np.arange(30.0), 50, 1)
    assert raw == (1.0, 1.0, 1.0)
    assert 0.9 < controlled.value <= 1.0
    points = np.array([1.0, 0.0, 1.0, 1.0, 0.5] * 8)
    raw, _ = win_rates(points, np.zeros(40), 2000, 1)
    half = 1.96 * points.std() / math.sqrt(40)
    assert (raw.low, raw.high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.02)
    assert win_rates(points, np.zeros(40), 20, 1) == win_rates(points, np.zeros(40), 20, 1)


def compared(folder, better, *, changes=None, rows=10):
    """A comparison of two columns by a judge that is planted for it."""
    records = [
        {"prompt": f"Question {n}?", "new": f"New {n}." + "!" * (n % 3), "old": f"Old {n}."}
        for n in range(rows)
    ]
    prompts = write_jsonl(folder / "prompts.jsonl", records)
    values = {"a": "new", "b": "old", "prompts": str(prompts), "out": str(folder / "run")}
    values["judge"] = f"canned:{seed(folder / 'judge.jsonl')}"
    config = WinrateConfig(**values | (changes or {}))
    sides = (Side("a", config.a), Side("b", config.b))
    given = [Answers(s, config.prompts, None) for s in sides if not s.engine]
    found = Matched(str(prompts), Columns(), config.limit, given=given)
    decided = choosing(better)
    answer = {"text": "An answer of the engine."}
    plant(
        folder / "judge.jsonl",
        WinrateStage(config, sides, Sampling()),
        found,
        lambda request: decided(request) if request.role == "judge" else answer,
    )
    winrate(config)
    return load_winrate(folder / "run")


def number(asked):
    return int(asked.first.split()[1].split(".")[0])


def test_a_planted_judge_is_recovered(tmp_path):
    """New wins seven prompts of ten; two are decided by place, and one is lost."""

    def better(asked):
        n = number(asked)
        return asked.first.startswith("New") if n < 7 else n < 9 or asked.first.startswith("Old")

    found = compared(tmp_path, better)
    assert (found.wins, found.losses, found.ties, found.inconsistent) == (7, 1, 2, 2)
    assert found.win_rate.value == pytest.approx(0.8)
    assert found.sign_test == pytest.approx(2 * (1 + 8) / 256)
    assert found.mean_preference == pytest.approx((7 * 0.9 + 2 * 0.5 + 0.1) / 10)
    rows = {row["prompt"][0]["content"]: row for row in rows_of(tmp_path / "run")}
    assert [rows[f"Question {n}?"]["points"] for n in (0, 7, 9)] == [1.0, 0.5, 0.0]
    assert rows["Question 7?"]["decision"] == "inconsistent"


def test_the_same_answers_give_half_and_ask_nobody(tmp_path):
    rows = [{"prompt": f"Question {n}?", "new": f"New {n}."} for n in range(10)]
    prompts = write_jsonl(tmp_path / "prompts.jsonl", rows)
    judge = f"canned:{seed(tmp_path / 'judge.jsonl')}"
    run = tmp_path / "run"
    winrate(WinrateConfig(a="new", b="new", prompts=str(prompts), judge=judge, out=str(run)))
    found = load_winrate(run)
    assert {row["completion_tokens"] for row in rows_of(run)} == {0}
    assert (found.win_rate.value, found.length_controlled.value) == (0.5, 0.5)
    assert (found.identical, found.ties, found.decided) == (10, 10, 10)


def test_answers_are_not_said_to_be_carried_beside_themselves(tmp_path):
    """Of a file of answers that gives the prompts too, what is renamed is what is neither."""
    rows = [{"prompt": f"Question {n}?", "completion": "Yes.", "points": n} for n in range(3)]
    path = str(write_jsonl(tmp_path / "a.jsonl", rows))
    answers = Answers(Side("a", path), None, None)
    assert Matched(path, Columns(), None, ["points"], given=[answers]).renamed == {"points": "input_points"}


def test_an_engine_answers_and_is_matched_with_a_file(tmp_path):
    policy = tmp_path / "policy.jsonl"
    policy.write_text(json.dumps({"text": "An answer of the engine."}) + "\n")
    wins = lambda asked: asked.first.startswith("An answer")  # noqa: E731
    found = compared(tmp_path, wins, changes={"a": f"canned:{policy}", "b": "old"})
    assert (found.wins, found.losses) == (10, 0)
    assert found.length_controlled.value > 0.5


def test_prompts_that_do_not_match_are_named_and_counted(tmp_path):
    ask = [{"prompt": f"P{n}"} for n in (0, 1, 2, 2)]
    new = [{"prompt": f"P{n}", "response": f"new {n}"} for n in (0, 1, 1, 7)]
    old = [{"prompt": f"P{n}", "response": f"old {n}"} for n in (0, 2)]
    a, b, p = (write_jsonl(tmp_path / f"{n}.jsonl", r) for n, r in (("a", new), ("b", old), ("p", ask)))
    sides = {name: Answers(Side(name, str(path)), None, None) for name, path in (("a", a), ("b", b))}
    found = Matched(str(p), Columns(), None, given=list(sides.values())).mismatch(sides)
    assert found.examples == {
        "doubled_prompts": ["P2"],
        "missing_a": ["P2"],
        "missing_b": ["P1"],
        "doubled_a": ["P1"],
        "extra_a": ["P7"],
    }
    assert (found.missing_a, found.extra_b) == (1, 0)
    limited = Matched(str(p), Columns(), 2, given=list(sides.values()))
    assert [row.prompt[0].content for row in limited] == ["P0", "P1"]
    assert limited.info.rows == 2
    assert (limited.mismatch(sides).missing_a, limited.mismatch(sides).extra_a) == (0, 1)
    own = Matched(str(a), Columns(), None, given=list(sides.values())).mismatch(sides)
    assert (own.doubled_prompts, own.doubled_a) == (0, 1)


def test_what_cannot_be_compared_is_one_sentence(tmp_path):
    judge = f"canned:{seed(tmp_path / 'judge.jsonl')}"
    one = write_jsonl(tmp_path / "one.jsonl", [{"prompt": "P", "response": "x"}])
    two = write_jsonl(tmp_path / "two.jsonl", [{"prompt": "Q", "response": "y"}])
    bare = write_jsonl(tmp_path / "bare.jsonl", [{"prompt": "Q"}])
    shared = ["--judge", judge, "--out", str(tmp_path / "run")]
    for sides, words in (
        ([str(one), str(two)], "no prompt has an answer of .* and of"),
        ([str(one), "nowhere.jsonl"], "neither an engine nor a file"),
        ([str(one), str(bare)], "no answers in it"),
        ([judge, judge], "--prompts must be given"),
    ):
        with pytest.raises(UsageError, match=words):
            run_command(["winrate", *sides, *shared])
    assert not (tmp_path / "run").exists()
