"""Rounds measured by a verifier: pass rates, gains prompt by prompt, the best round, when to stop."""

from pathlib import Path

import pytest
from in_process import run
from loop_toy import LoopToy
from tiny_model import write_jsonl

from judge.evaluation.measures import compare_runs, load_evaluation
from pairwright.errors import UsageError
from train.on_policy.config import LoopLookConfig
from train.on_policy.loop import loop
from train.on_policy.stop import reason_to_stop
from train.rounds.best import best_of, link_best

LIKES_A = """
def many(prompt, answer, row):
    return answer.count("a") > answer.count("b"), f"{row['need']} is wanted"
"""
WANTS_NEED = """
def named(completions, need, **kwargs):
    return [1.0 for _ in completions]
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> LoopToy:
    toy = LoopToy(tmp_path_factory.mktemp("loop"))
    (toy.folder / "own.py").write_text(LIKES_A)
    prompts = [{"prompt": f"p{n}", "need": "more a"} for n in range(36)]
    toy.settings["prompts"] = write_jsonl(toy.folder / "p.jsonl", prompts)
    toy.settings["eval"] = {
        "verify": f"{toy.folder}/own.py:many", "max_tokens": 12, "temperature": 1.0, "n": 4,
        "batch_size": 64, "function_processes": 1,
    }  # fmt: skip
    return toy


def test_a_loop_says_how_often_its_rounds_pass(toy: LoopToy, capfd: pytest.CaptureFixture[str]) -> None:
    """Each round is measured once, and compared with the start prompt by prompt."""
    table = loop(toy.config("verified"))
    folder = toy.folder / "verified"
    for row in table:
        [found] = load_evaluation(folder / f"round-{row['round']}" / "eval").models
        assert row["pass_rate"] == found.pass_rate.value
        assert row["pass_rate_low"] <= row["pass_rate"] <= row["pass_rate_high"]
    assert "gain" not in table[0]
    for row in table[1:]:
        assert row["gain"] == pytest.approx(row["pass_rate"] - table[0]["pass_rate"])
        own = compare_runs(folder / "round-0" / "eval", folder / f"round-{row['round']}" / "eval")
        assert (row["gain_low"], row["gain_high"]) == (own.difference.low, own.difference.high)
        assert [other["round"] for other in row["against"]] == list(range(row["round"]))
        assert (row["against"][0]["won"], row["against"][0]["lost"]) == (own.won, own.lost)
    best = max(table, key=lambda row: row["pass_rate"])
    assert (folder / "best").resolve() == (folder / f"round-{best['round']}" / "model").resolve()
    assert "gain, 95 %" in (folder / "table.md").read_text()
    assert loop(toy.config("verified")) == table  # nothing is measured twice
    code, said, _ = run(capfd, "stats", str(folder))
    assert code == 0
    assert "pass_rate" in said
    page = toy.folder / "report.html"
    assert run(capfd, "report", str(folder), "--out", str(page))[0] == 0
    last = table[2]["against"][1]
    assert f"{last['won']} : {last['lost']}</td>" in page.read_text()
    assert f"{100 * last['difference']:+.1f} ({100 * last['difference_low']:+.1f} to" in page.read_text()


def test_what_a_verifier_misses_is_told_before_anything_is_asked(toy: LoopToy) -> None:
    bare = write_jsonl(toy.folder / "bare.jsonl", [{"prompt": f"p{n}"} for n in range(36)])
    (toy.folder / "named.py").write_text(WANTS_NEED)
    own = toy.settings["eval"] | {"verify": f"{toy.folder}/named.py:named"}
    with pytest.raises(UsageError, match="need"):
        loop(toy.config("missing", prompts=bare, eval=own))
    assert not list((toy.folder / "missing").glob("round-*/*/data/*"))


def test_another_verifier_is_another_loop(toy: LoopToy) -> None:
    loop(toy.config("changed", rounds=1))
    (toy.folder / "other.py").write_text(LIKES_A.replace(">", "<"))
    own = toy.settings["eval"] | {"verify": f"{toy.folder}/other.py:many"}
    with pytest.raises(UsageError, match="eval"):
        loop(toy.config("changed", rounds=1, eval=own))


ROWS = [
    {"round": 0, "pass_rate": 0.2},
    {"round": 1, "pass_rate": 0.5, "from_best": 0.3, "from_best_low": 0.2, "from_best_high": 0.4},
    {"round": 2, "pass_rate": 0.4, "from_best": -0.1, "from_best_low": -0.2, "from_best_high": 0.01},
]


def test_a_loop_stops_when_a_round_is_clearly_below_the_best() -> None:
    """By the interval of the difference, not by the point."""
    config = LoopLookConfig()
    assert reason_to_stop(ROWS, config) is None
    clear = ROWS[2] | {"from_best_high": -0.01}
    reason = reason_to_stop([*ROWS[:2], clear], config)
    assert reason is not None
    assert "round 2 passes 40.0% of the prompts, -10.0 points from the best so far (-20.0 to -1.0" in reason
    assert reason_to_stop([*ROWS[:2], clear], LoopLookConfig(stop_below_best=False)) is None


def test_the_best_round_is_linked_and_the_start_is_not(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"round-{number}" / "model").mkdir(parents=True)
    link_best(tmp_path, ROWS, "model")
    assert (tmp_path / "best").readlink() == Path("round-1/model")
    link_best(tmp_path, [ROWS[0], ROWS[1] | {"pass_rate": 0.1}], "model")
    assert not (tmp_path / "best").exists()
    even = [{"round": 0, "win_rate": 0.5}, {"round": 1, "win_rate": 0.5}]
    assert best_of(even) == even[0]
    assert best_of([{"round": 0}]) is None
