"""What somebody meets who has never used it: three rows, few flags, typing errors, a terminal or none."""

import json

import pytest
from in_process import run
from runs_on_disk import TAGGED, rows_of, write_jsonl

from pairwright.terminal.progress import progress


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with three rows of somebody's own and a reviser."""
    monkeypatch.chdir(tmp_path)
    rows = [{"question": f"Is {n} odd?", "answer": f"Yes, {n} is surely odd."} for n in (1, 3, 5)]
    write_jsonl(tmp_path / "mine.jsonl", rows)
    revised = [
        {"match": f"Is {n}", "text": TAGGED.format(f"Yes, {n} is an odd number.")} for n in (1, 3, 5)
    ]
    write_jsonl(tmp_path / "reviser.jsonl", revised)
    return tmp_path


def test_three_rows_and_a_reviser_are_enough(place, capfd):
    argv = ["revise", "mine.jsonl", "--reviser", "canned:reviser.jsonl", "--min_kept_share", "0"]
    code, out, _ = run(capfd, *argv)
    assert code == 0
    assert "kept rows: runs/mine-revised/data" in " ".join(out.split())
    rows = rows_of(place / "runs" / "mine-revised")
    assert len(rows) == 3
    before = (place / "runs" / "mine-revised" / "run.json").read_bytes()
    assert run(capfd, *argv)[0] == 0
    assert (place / "runs" / "mine-revised" / "run.json").read_bytes() == before, (
        "a second run does nothing"
    )
    assert run(capfd, *argv, "--out", "elsewhere")[0] == 0
    assert len(rows_of(place / "elsewhere")) == 3


def test_the_summary_is_not_folded(place, capfd):
    _, out, _ = run(capfd, "revise", "mine.jsonl", "--reviser", "canned:reviser.jsonl", "--out", "a" * 40)
    assert any(line.strip() == f"{'a' * 40}: revise" for line in out.splitlines())
    assert any(line.strip().startswith("0 tokens generated · ") for line in out.splitlines())


def test_a_value_in_a_settings_file_is_named_with_what_is_allowed(place, capfd):
    (place / "s.yaml").write_text("direction: sideways\n")
    argv = ["revise", "mine.jsonl", "--reviser", "canned:reviser.jsonl", "--config", "s.yaml"]
    code, _, err = run(capfd, *argv)
    assert code == 2
    assert "`direction` in the settings file, line 1: Input should be 'improve' or 'worsen'" in err
    code, _, err = run(capfd, *argv, "--direction", "upwards")
    assert code == 2
    assert "--direction: Input should be 'improve' or 'worsen' (given: 'upwards')" in err


def test_a_preview_says_how_it_would_be_sampled(place, capfd):
    code, out, _ = run(capfd, "revise", "mine.jsonl", "--reviser", "canned:reviser.jsonl", "--preview")
    assert code == 0
    assert "Yes, 5 is surely odd." in out
    assert "max_tokens 2048 · temperature 0.7 · top_p 1.0" in out
    assert not (place / "runs").exists()


@pytest.mark.parametrize("ci", [None, "true"])
def test_a_bar_moves_on_a_terminal_and_never_in_ci(ci, monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, for all that rich knows
    monkeypatch.setenv("TERM", "xterm")
    if ci is None:
        monkeypatch.delenv("CI", raising=False)
    else:
        monkeypatch.setenv("CI", ci)
    with progress("revise", 4) as meter:
        meter(2, 1, 10)
    err = capfd.readouterr().err
    assert ("\x1b[" in err) == (ci is None)


def test_both_parts_of_a_split_load_as_one_data_set(tmp_path, capfd):
    from datasets import load_dataset

    pairs = [{"prompt": f"Q{n}?", "chosen": f"It is {n}.", "rejected": "No."} for n in range(40)]
    path = write_jsonl(tmp_path / "pairs.jsonl", pairs)
    assert run(capfd, "split", str(path), "--test_share", "0.3", "--out", str(tmp_path / "parted"))[0] == 0
    loaded = load_dataset(str(tmp_path / "parted"), cache_dir=str(tmp_path / "cache"))
    prompts = {part: {row[0]["content"] for row in loaded[part]["prompt"]} for part in ("train", "test")}
    assert not prompts["train"] & prompts["test"]
    assert len(prompts["train"] | prompts["test"]) == 40
    card = (tmp_path / "parted" / "train" / "README.md").read_text()
    assert "No model was asked." in card
    assert "0 tokens" not in card


def test_rounds_show_first_what_they_are_judged_by(tmp_path, capfd):
    game = tmp_path / "game"
    game.mkdir()
    rows = [{"round": n, "answers": 8, "kl": 0.1 * n, "reward": n - 1.5} for n in range(3)]
    write_jsonl(game / "table.jsonl", rows)
    assert run(capfd, "report", str(game))[0] == 0
    page = (game / "report.html").read_text()
    assert "the start and 2 rounds" in page
    assert page.index("<th>reward</th>") < page.index("<th>kl</th>") < page.index("<th>answers</th>")
    assert "<b>reward</b>" in page
    assert "<b>answers</b>" not in page, "eight in every round is no curve"
    found = json.loads(run(capfd, "stats", str(game), "--json")[1])
    assert found["rounds"]["numbers"]["answers"] == [8, 8, 8]
