"""Win rates: numbers by hand, a planted judge end to end, and what is missing."""

import json
import logging
import math

import numpy as np
import pytest
from in_process import run
from planted_judge import choosing, plant, seed
from runs_on_disk import rows_of, write_jsonl

from judge.sides import side_of
from judge.versus import VersusStage
from judge.win_rates import fit, length_controlled, resamples, sign_test, win_rate
from judge.winrate import WinrateConfig, load_winrate, winrate
from pairwright.candidates import Candidates
from pairwright.columns import Columns
from pairwright.errors import PairwrightError, UsageError
from pairwright.manifest import load_manifest
from pairwright.sample import SampleConfig, sample


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (8, 2, 2 * (1 + 10 + 45) / 1024),
        (2, 8, 2 * (1 + 10 + 45) / 1024),
        (5, 0, 2 / 32),
        (3, 3, 1.0),
        (0, 0, 1.0),
    ],
)
def test_sign_test_by_hand(wins, losses, p):
    assert sign_test(wins, losses) == pytest.approx(p)


def test_sign_test_of_many_does_not_overflow():
    """Close to the normal approximation: 2 (1 - Phi(4)) = 6.3e-5 at 4 standard deviations."""
    assert sign_test(5200, 4800) == pytest.approx(6.3e-5, rel=0.1)


def halves(longer_wins, shorter_wins, n=1000):
    """Answers of which half are 10 characters longer and half 10 shorter, with shares of wins."""
    points = [float(i < longer_wins * n) for i in range(n)] + [
        float(i < shorter_wins * n) for i in range(n)
    ]
    return points, [10] * n + [-10] * n


def test_length_control_by_hand():
    """Two groups, two coefficients: logit(p_longer) = theta + x, logit(p_shorter) = theta - x.

    With 0.8 and 0.5, theta = (ln 4 + 0) / 2 = ln 2, so 2/3 at equal lengths where the raw rate is .65.
    """
    points, differences = halves(0.8, 0.5)
    draws = resamples(len(points), 0)
    estimate, found = length_controlled(points, differences, draws[:50])
    assert estimate.value == pytest.approx(2 / 3, abs=1e-4)
    spread = np.std(differences, ddof=1)
    assert found.length == pytest.approx(math.log(2) / math.tanh(10 / spread), abs=1e-3)
    assert win_rate(points, draws).value == pytest.approx(0.65)


def test_a_judge_that_goes_by_length_alone_says_nothing_at_equal_lengths():
    """Longer answers win nine of ten and shorter ones one of ten; three in four are longer."""
    longer, shorter = [True] * 9 + [False], [True] + [False] * 9
    points = [float(won) for won in longer * 75 + shorter * 25]
    differences = [10] * 750 + [-10] * 250
    draws = resamples(len(points), 0)[:20]
    assert length_controlled(points, differences, draws)[0].value == pytest.approx(0.5, abs=1e-3)
    assert win_rate(points, draws).value == pytest.approx(0.7)


def test_length_control_at_the_edges():
    draws = resamples(4, 0)
    assert length_controlled([1, 1, 0, 1], [5, 5, 5, 5], draws) is None
    same, _ = length_controlled([1, 1, 0, 1], [0, 0, 0, 0], draws)
    assert same == win_rate([1, 1, 0, 1], draws)
    sure, found = length_controlled([1, 1, 1, 1], [1, -2, 3, 4], draws)
    assert 0.9 < sure.value <= 1
    assert all(map(math.isfinite, found))
    assert fit(np.array([0.5, 0.5]), np.array([1.0, -1.0])) == (0.0, 0.0)


def test_the_interval_is_that_of_the_bootstrap():
    """Of 400 fair coins: ± 1.96 sqrt(.25 / 400) = ± .049. The seed decides the draws."""
    points = [1.0, 0.0] * 200
    found = win_rate(points, resamples(400, 0))
    assert found.value == 0.5
    assert found.low == pytest.approx(0.451, abs=0.006)
    assert found.high == pytest.approx(0.549, abs=0.006)
    assert found == win_rate(points, resamples(400, 0))
    assert found != win_rate(points, resamples(400, 1))


def answers(folder, name, grades, prompts=None):
    """A file of answers whose grade stands in them."""
    prompts = prompts or range(len(grades))
    rows = [{"prompt": f"Q{n}?", "response": f"grade {g}"} for n, g in zip(prompts, grades, strict=True)]
    return str(write_jsonl(folder / name, rows))


def settings(folder, **more):
    values = {
        "input": str(folder / "a.jsonl"),
        "baseline": str(folder / "b.jsonl"),
        "out": str(folder / "run"),
        "judge": f"canned:{seed(folder / 'judge.jsonl')}",
    }
    return WinrateConfig(**values | more)


def planted(folder, config, first, policy=""):
    """Plant a judge for exactly the questions of a win rate."""
    columns = Columns(config.prompt_column, config.answer_column)
    sides = side_of("input", config.input, columns), side_of("baseline", config.baseline, columns)
    rows = Candidates(config.prompts or config.input, Columns(), None, answers=False)
    say = choosing(first)
    plant(
        folder / "judge.jsonl",
        VersusStage(config, sides),
        rows,
        lambda request: say(request) if request.role == "judge" else {"text": policy},
    )


def test_wins_ties_and_losses_by_a_planted_judge(tmp_path, capfd):
    """Grades decide; equal grades but different texts: the first place wins, so a tie over both orders."""
    answers(tmp_path, "a.jsonl", ["9", "8", "7", "3", "5 so", "6"])
    answers(tmp_path, "b.jsonl", ["1", "2", "3", "4", "5", "6"])
    config = settings(tmp_path)
    planted(tmp_path, config, lambda asked: asked.first[6] >= asked.second[6])
    winrate(config)
    found = load_winrate(tmp_path / "run")
    assert (found.wins, found.ties, found.losses) == (3, 2, 1)
    assert (found.identical, found.inconsistent, found.unparsed, found.compared) == (1, 1, 0, 6)
    assert found.win_rate.value == pytest.approx(4 / 6)
    assert found.sign_test == pytest.approx(2 * (1 + 4) / 16)
    assert found.mean_probability == pytest.approx((3 * 0.9 + 0.1 + 0.5 + 0.5) / 6)
    assert found.mean_lengths == pytest.approx((7 + 0.5, 7))
    rows = {row["prompt"][0]["content"]: row for row in rows_of(tmp_path / "run")}
    assert [rows[f"Q{n}?"]["win"] for n in range(6)] == [1, 1, 1, 0, 0.5, 0.5]
    assert rows["Q4?"]["decision"] == "inconsistent"
    assert rows["Q4?"]["length_difference"] == 3
    assert rows["Q3?"]["verdict"]["preference"] == pytest.approx(0.1)
    out = capfd.readouterr().out
    assert "66.7%" in out
    assert "cannot be told apart" in " ".join(out.split())


def test_the_same_answers_on_both_sides_are_one_half_and_nobody_is_asked(tmp_path):
    answers(tmp_path, "a.jsonl", ["1", "2", "3"])
    winrate(settings(tmp_path, baseline=str(tmp_path / "a.jsonl")))
    found = load_winrate(tmp_path / "run")
    assert found.win_rate == (0.5, 0.5, 0.5)
    assert found.length_controlled == (0.5, 0.5, 0.5)
    assert (found.identical, found.sign_test) == (3, 1.0)


def test_one_side_swapped_is_one_minus_the_rate(tmp_path):
    answers(tmp_path, "a.jsonl", ["9", "1", "7 and more", "6"])
    answers(tmp_path, "b.jsonl", ["2", "3", "4", "5"])
    rates = []
    for one, other in (("a", "b"), ("b", "a")):
        config = settings(
            tmp_path,
            input=str(tmp_path / f"{one}.jsonl"),
            baseline=str(tmp_path / f"{other}.jsonl"),
            out=str(tmp_path / one),
        )
        planted(tmp_path, config, lambda asked: asked.first > asked.second)
        winrate(config)
        rates.append(load_winrate(tmp_path / one))
    assert rates[0].win_rate.value == 0.75
    assert rates[0].win_rate.value + rates[1].win_rate.value == 1
    both = rates[0].length_controlled.value + rates[1].length_controlled.value
    assert both == pytest.approx(1)


def test_prompts_that_a_side_lacks_are_named_and_counted(tmp_path, caplog):
    answers(tmp_path, "a.jsonl", ["9", "8", "7"])
    answers(tmp_path, "b.jsonl", ["1", "2", "3"], prompts=(2, 0, 7))  # in another order
    prompts = write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"Q{n}?"} for n in (0, 1, 2, 7)])
    config = settings(tmp_path, prompts=str(prompts))
    planted(tmp_path, config, lambda asked: asked.first > asked.second)
    with caplog.at_level(logging.WARNING):
        winrate(config)
    found = load_winrate(tmp_path / "run")
    assert (found.prompts, found.compared, found.missing) == (4, 2, {"input": 1, "baseline": 1})
    assert found.dropped == {"missing": 2}
    assert "2 prompts have no answer on one side: 'Q1?', 'Q7?'" in caplog.text
    reasons = {
        row["prompt"][0]["content"]: row["reason"] for row in rows_of(tmp_path / "run") if row.get("status")
    }
    assert reasons == {
        "Q1?": f"baseline: no answer in {tmp_path / 'b.jsonl'}",
        "Q7?": f"input: no answer in {tmp_path / 'a.jsonl'}",
    }


def test_an_engine_against_a_run_folder(tmp_path):
    """The engine answers; of the run's two answers to a prompt the first counts."""
    policy = write_jsonl(tmp_path / "policy.jsonl", [{"text": "grade 9"}])
    old = write_jsonl(tmp_path / "old.jsonl", [{"text": "grade 1"}, {"text": "grade 2"}])
    prompts = write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"Q{n}?"} for n in range(4)])
    sample(SampleConfig(input=str(prompts), policy=f"canned:{old}", n=2, out=str(tmp_path / "old")))
    config = settings(
        tmp_path, input=f"canned:{policy}", baseline=str(tmp_path / "old"), prompts=str(prompts)
    )
    planted(tmp_path, config, lambda asked: asked.first > asked.second, policy="grade 9")
    winrate(config)
    found = load_winrate(tmp_path / "run")
    assert (found.wins, found.compared) == (4, 4)
    assert load_manifest(tmp_path / "run").engines["input"].startswith("canned:")
    rows = rows_of(tmp_path / "run")
    assert {row["answer"][0]["content"] for row in rows} == {"grade 9"}
    first = {row["prompt_id"]: row["completion"] for row in reversed(rows_of(tmp_path / "old"))}
    assert all(row["baseline"] == first[row["prompt_id"]] for row in rows)


def test_no_verdict_at_all_is_a_failure_with_every_row_written(tmp_path):
    answers(tmp_path, "a.jsonl", ["9", "8"])
    answers(tmp_path, "b.jsonl", ["1", "2"])
    judge = write_jsonl(tmp_path / "mute.jsonl", [{"failure": "out of order"}])
    with pytest.raises(PairwrightError, match="no prompt came to a verdict"):
        winrate(settings(tmp_path, judge=f"canned:{judge}"))
    assert load_manifest(tmp_path / "run").counts == {"failed": 2}


def test_what_was_asked_is_never_asked_again(tmp_path, monkeypatch):
    answers(tmp_path, "a.jsonl", ["9", "8"])
    answers(tmp_path, "b.jsonl", ["1", "2"])
    config = settings(tmp_path)
    planted(tmp_path, config, lambda asked: asked.first > asked.second)
    winrate(config)
    first = (tmp_path / "run" / "winrate.json").read_bytes()
    monkeypatch.setattr(
        "pairwright.engines.canned.CannedEngine.submit", lambda *_: pytest.fail("asked again")
    )
    winrate(config)
    winrate(config.model_copy(update={"fresh": True}))
    assert (tmp_path / "run" / "winrate.json").read_bytes() == first
    answers(tmp_path, "a.jsonl", ["9", "7"])
    with pytest.raises(UsageError, match="made with other settings"):
        winrate(config)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"input": "canned:judge.jsonl", "baseline": "canned:judge.jsonl"}, "--prompts must be given"),
        ({"input": "gone.jsonl"}, "gone.jsonl: no such file"),
        ({"baseline": "other.jsonl"}, "other.jsonl: no prompt of a.jsonl is answered there"),
        ({"baseline": "empty.jsonl"}, "empty.jsonl: no answers in it"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(tmp_path, monkeypatch, capfd, changes, sentence):
    monkeypatch.chdir(tmp_path)
    seed(tmp_path / "judge.jsonl")
    answers(tmp_path, "a.jsonl", ["9", "8"])
    answers(tmp_path, "b.jsonl", ["9", "8"])
    answers(tmp_path, "other.jsonl", ["9", "8"], prompts=(5, 6))
    (tmp_path / "empty.jsonl").write_text(json.dumps({"prompt": "Q0?"}) + "\n")
    argv = {"input": "a.jsonl", "baseline": "b.jsonl"} | changes
    code, _, err = run(
        capfd, "winrate", argv["input"], argv["baseline"], "--judge", "canned:judge.jsonl", "--out", "run"
    )
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_preview_shows_the_question_and_writes_nothing(tmp_path, capfd):
    answers(tmp_path, "a.jsonl", ["9"])
    answers(tmp_path, "b.jsonl", ["1"])
    assert winrate(settings(tmp_path, preview=True)) is None
    out = capfd.readouterr().out
    assert "grade 9" in out
    assert not (tmp_path / "run").exists()
