"""`winrate` of several models, from the command: what it says, what it asks, and that it goes on."""

import json
import random
import shutil

import pytest
from runs_on_disk import rows_of, write_jsonl

import pairwright as pw
from judge.comparison.tournament import load_tournament
from pairwright.cli import run_command
from pairwright.errors import UsageError
from pairwright.folders.manifest import load_manifest

OWN = """
import pathlib
def good(prompt, answer, row):
    with pathlib.Path("asked.txt").open("a") as file:
        file.write(f"{answer}\\n")
    return max(0.0, min(1.0, 0.5 + float(answer.split()[-1]) / 10))
"""


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """120 prompts, answered by a model that is good, one that is poor, and two that are alike."""
    monkeypatch.chdir(tmp_path)
    draw, worth = random.Random(1), {"good": 2.0, "fair": 0.0, "same": 0.0, "poor": -2.0}
    said = lambda name, n: f"{name} {n}: {worth[name] + draw.gauss(0, 1):.3f}"  # noqa: E731
    write_jsonl(
        tmp_path / "p.jsonl",
        [{"prompt": f"Q{n}?", **{name: said(name, n) for name in worth}} for n in range(120)],
    )
    (tmp_path / "own.py").write_text(OWN)
    return ["--prompts", "p.jsonl", "--judge", "own.py:good", "--function_processes", "1"]


def test_everybody_meets_on_every_prompt(rows, tmp_path, capsys):
    run_command(["winrate", "good", "fair", "same", "poor", *rows, "--out", "run"])
    found = load_tournament(tmp_path / "run")
    assert found.verdict.startswith("good > ")
    assert found.groups[0] == ["good"]
    assert found.groups[-1] == ["poor"]
    assert set(found.groups[1]) == {"fair", "same"}
    assert (found.comparisons, found.of, found.used) == (720, 720, 120)
    assert len(rows_of(tmp_path / "run")) == 720
    best = found.places[0]
    assert best.points.low > 0.5
    assert best.strength.low <= best.strength.value <= best.strength.high
    meeting = found.meetings[0]
    assert (meeting.a, meeting.b, meeting.prompts) == ("good", "fair", 120)
    assert meeting.wins + meeting.losses + meeting.ties == 120
    assert meeting.p is not None
    assert meeting.p < 0.05
    assert "good > " in capsys.readouterr().out


def test_it_stops_when_all_are_told_apart_and_costs_less(rows, tmp_path):
    asked = ["winrate", "good", "fair", "poor", *rows, "--until", "0.05", "--prompts_per_round", "10"]
    run_command([*asked, "--out", "run"])
    found = load_tournament(tmp_path / "run")
    assert found.groups == [["good"], ["fair"], ["poor"]]
    assert found.comparisons < found.of / 2
    assert found.meetings[0].evidence is not None
    counts = json.loads((tmp_path / "run" / "run.json").read_text())["shards"]
    ended = [shard["counts"] for _, shard in sorted(counts.items(), key=lambda item: int(item[0]))]
    assert ended[0] == {"kept": 10}
    assert ended[-1] == {"settled": 10}
    lines = len((tmp_path / "asked.txt").read_text().splitlines())
    run_command([*asked, "--out", "run"])
    assert len((tmp_path / "asked.txt").read_text().splitlines()) == lines


def test_a_tournament_that_was_cut_off_goes_on_to_the_same_end(rows, tmp_path):
    asked = ["winrate", "good", "fair", "same", *rows, "--until", "0.05", "--prompts_per_round", "10"]
    run_command([*asked, "--out", "whole"])
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    found = load_manifest(tmp_path / "cut")
    begun = {n: shard for n, shard in found.shards.items() if n < 2}
    found.model_copy(update={"shards": begun, "complete": False}).save(tmp_path / "cut")
    (tmp_path / "cut" / "tournament.json").unlink()
    run_command([*asked, "--out", "cut"])
    assert rows_of(tmp_path / "cut") == rows_of(tmp_path / "whole")
    assert load_tournament(tmp_path / "cut") == load_tournament(tmp_path / "whole")


def test_two_models_may_stop_early_and_engines_answer_only_where_they_meet(rows, tmp_path):
    policy = tmp_path / "policy.jsonl"
    policy.write_text(json.dumps({"text": "An answer: -3.0"}) + "\n")
    result = pw.winrate(
        "good", f"canned:{policy}", prompts="p.jsonl", judge="own.py:good", until=0.05, out="run",
        prompts_per_round=10, function_processes=1,
    )  # fmt: skip
    assert result.counts["settled"] >= 90
    assert "good > canned:" in load_tournament(tmp_path / "run").verdict
    assert pw.winrate("good", "fair", "poor", prompts="p.jsonl", judge="own.py:good", out="three").counts


def test_what_cannot_meet_is_one_sentence(rows, tmp_path):
    write_jsonl(tmp_path / "none.jsonl", [{"prompt": "another", "response": "x"}])
    for sides, more, words in (
        (["good", "fair", "good"], [], "good is named twice"),
        (["good", "fair", "none.jsonl"], [], "no prompt has an answer of good and of none.jsonl"),
        (["good", "fair", "nothing"], [], "nothing"),
        (["good", "fair", "same"], ["--until", "1.5"], "until"),
    ):
        with pytest.raises(UsageError, match=words):
            run_command(["winrate", *sides, *rows, *more, "--out", "run"])
    assert not (tmp_path / "run").exists()
