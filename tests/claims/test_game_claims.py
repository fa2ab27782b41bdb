"""The scripts that check the game's claims run anywhere, in small, and say what they found."""

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from places import CLAIMS

SMALL = ("--seeds", "1", "--rounds", "1", "--limit", "8", "--epochs", "1")


@pytest.fixture
def claim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a script in this process, which has loaded torch already; gives what it prints."""
    monkeypatch.syspath_prepend(str(CLAIMS))

    def run(name: str, *argv: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *argv])
        runpy.run_path(str(CLAIMS / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def rows_of(text: str) -> list[list[str]]:
    """Rows of the Markdown table that is printed last."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Games are played once for all that look at them."""
    return str(tmp_path_factory.mktemp("toys"))


def test_the_game_beside_a_fixed_reward_model(claim: Callable[..., str], out: str) -> None:
    text = claim("fixed_reward.py", *SMALL, "--out", out, "--losses", "rejection_sampling")
    head, *rows = rows_of(text)
    assert head == ["loss", "reward model", "round 0", "round 1", "letters at last"]
    assert [row[1] for row in rows] == ["game", "fixed"]
    assert rows[0][2] == rows[1][2]  # the same start
    assert -5 < float(rows[0][3].split()[0]) <= 0
    assert "of 1 seeds" in text


def test_reward_models_on_answers_of_later_rounds(claim: Callable[..., str], out: str) -> None:
    text = claim("stale_reward.py", *SMALL, "--out", out, "--temperatures", "1.2")
    head, *rows = rows_of(text)
    assert head == ["pairs", "reward model", "answers of round 0"]
    assert [row[1] for row in rows] == 2 * ["human", "first", "own"]
    assert rows[1][2] == rows[2][2]  # the first round's is the round's own
    assert all(0 <= float(row[2].split()[0]) <= 1 for row in rows)
    text = claim("stale_reward.py", str(Path(out) / "seed-1" / "game-rejection_sampling-1.2"))
    assert [row[0] for row in rows_of(text)] == ["reward model", "evaluator", "round-1/reward"]


def test_over_optimisation(claim: Callable[..., str], out: str) -> None:
    text = claim("overoptimisation.py", "--seeds", "1", "--out", out, "--updates", "2", "--prompts", "8")
    head, *rows = rows_of(text)
    assert head == ["loss", "updates", "KL, nats", "proxy", "gold", "gap", "letters"]
    assert [row[0] for row in rows] == ["dpo", "rpo_mean", "rpo_sum"]
    for row in rows:
        proxy, gold, gap = (float(cell.split()[0]) for cell in row[3:6])
        assert gap == pytest.approx(proxy - gold, abs=0.011)


def test_the_table_of_reward_models(claim: Callable[..., str], tmp_path: Path) -> None:
    made = claim("toy_pairs.py", str(tmp_path / "toy"), "--human", "40", "--golden", "12")
    files = json.loads(made.splitlines()[-1])
    argv = [f"--{name}={files[name]}" for name in ("model", "human", "golden")]
    argv += ["--out", str(tmp_path / "out"), "--human_train", "16", "--human_test", "20"]
    argv += ["--golden_train", "16", "--golden_test", "8", "--learning_rate", "1e-3"]
    argv += ["--pairs_per_update", "8", "--seeds", "1"]
    head, *rows = rows_of(claim("reward_table.py", *argv))
    assert head[:3] == ["reward model", "updates", "human accuracy"]
    updates = {row[0]: int(row[1]) for row in rows}
    assert updates == {
        "base": 2,
        "adversarial": 4,
        "gail": 2,  # of golden pairs alone
        "wgan": 4,
        "more_bt": 4,
        "sequential": 4,
    }
    for row in rows:
        share, low, high = (float(part.strip("()")) for part in row[2].replace("to ", "").split())
        assert low <= share <= high
    trained, tested = (
        {json.dumps(json.loads(line)["prompt"]) for line in path.read_text().splitlines()}
        for path in (tmp_path / "out" / "human_train.jsonl", tmp_path / "out" / "human_test.jsonl")
    )
    assert not trained & tested
