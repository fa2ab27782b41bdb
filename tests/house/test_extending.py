"""What a user brings along works from the shell and from Python, and is told apart by its source."""

import json
import re
from pathlib import Path

import pytest
from in_process import run
from places import ROOT
from runs_on_disk import write_jsonl
from tiny_model import save_tiny_model

import pairwright as pw
from pairwright.errors import UsageError
from pairwright.records import Ending

EXTEND = ROOT / "examples" / "extend"
SHOUTED = "A tree is a very tall plant, old and green!"
ANSWER = "A tree is a tall plant, old and green."


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for path in EXTEND.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    write_jsonl(
        tmp_path / "answers.jsonl", [{"prompt": f"Tree {n}?", "completion": ANSWER} for n in range(3)]
    )
    write_jsonl(tmp_path / "reviser.jsonl", [{"text": SHOUTED}])
    rows = [{"prompt": f"Q{n}?", "chosen": f"The answer is {n}.", "rejected": "No."} for n in range(6)]
    write_jsonl(tmp_path / "pairs.jsonl", rows)
    return tmp_path


def test_the_examples_are_short():
    assert all(len(path.read_text().splitlines()) < 30 for path in EXTEND.glob("*.py"))


REVISE = ("answers.jsonl", "--reviser", "canned:reviser.jsonl", "--reply", "bare")


def test_a_gate_of_ones_own(here, capfd):
    assert run(capfd, "revise", *REVISE, "--out", "plain")[0] == 0
    gated = ("--gates", "my_gates.py:no_new_exclamation")
    assert run(capfd, "revise", *REVISE, "--out", "gated", *gated)[0] == 0
    counts = [json.loads((here / out / "run.json").read_text())["counts"] for out in ("plain", "gated")]
    assert counts == [{"kept": 3}, {"shouting": 3}]
    recorded = json.loads((here / "gated" / "run.json").read_text())["gate"]["gates"]
    assert recorded[0].startswith("my_gates:no_new_exclamation#")

    # Another source is another gate: what was finished is sorted anew, and nothing is asked again.
    (here / "my_gates.py").write_text((here / "my_gates.py").read_text().replace('"!"', '"?"'))
    assert run(capfd, "revise", *REVISE, "--out", "gated", *gated)[0] == 0
    assert json.loads((here / "gated" / "run.json").read_text())["counts"] == {"kept": 3}


def test_a_gate_handed_over_from_python(here):

    def nothing_tall(revision, config):
        return Ending("tall") if "tall" in revision.text else None

    result = pw.revise(
        "answers.jsonl", reviser="canned:reviser.jsonl", reply="bare", out="handed", gates=[nothing_tall]
    )
    assert result.counts == {"tall": 3}


def test_a_loss_of_ones_own(here, capfd):
    tiny = save_tiny_model(here / "tiny")
    common = {"data": "pairs.jsonl", "model": tiny, "max_steps": 2, "learning_rate": 1e-3, "use_cpu": True}
    named = pw.train(**common, loss="my_losses.py:hinge", output_dir="named")
    record = json.loads((here / "named" / "train.json").read_text())
    assert record["identity"]["loss"].startswith("my_losses:hinge#")
    assert named.figures.training.curves["loss"].values[0] == pytest.approx(1.0)  # 1 at the reference

    from my_losses import hinge

    handed = pw.train(**common, loss=hinge, output_dir="handed")
    assert handed.metrics == named.metrics
    changed = (here / "my_losses.py").read_text().replace("1 -", "2 -")
    (here / "my_losses.py").write_text(changed)
    with pytest.raises(UsageError, match=r"`loss` was .*hinge#.* and is now .*hinge#"):
        pw.train(**common, loss="my_losses.py:hinge", output_dir="named")


def test_a_protocol_of_judges_of_ones_own(here, capfd):
    rows = [{"prompt": f"{n}?", "response_a": f"It is {n}.", "response_b": "It is not."} for n in range(3)]
    write_jsonl(here / "two.jsonl", rows)
    replies = [{"match": "It is not.", "text": "no"}, {"match": "It is", "text": "yes"}]
    write_jsonl(here / "judge.jsonl", replies)
    argv = ("two.jsonl", "--columns", "response_a,response_b", "--judge", "canned:judge.jsonl")
    code, _, err = run(capfd, "judge", *argv, "--protocol", "my_judging.py:Approving", "--out", "judged")
    assert code == 0, err
    judged = pw.judge(
        "two.jsonl",
        columns="response_a,response_b",
        judge="canned:judge.jsonl",
        protocol="my_judging.py:Approving",
        out="judged",
    )
    assert judged.counts == {"kept": 3}
    assert [row[0]["content"] for row in judged.frame()["rejected"]] == ["It is not."] * 3
    recorded = json.loads((here / "judged" / "run.json").read_text())["semantic"]["protocol"]
    assert recorded.startswith("my_judging:Approving#")


def test_an_engine_of_ones_own(here, capfd):
    write_jsonl(here / "prompts.jsonl", [{"prompt": "Why?"}])
    argv = ("prompts.jsonl", "--policy", "python:my_engine.py:parrot", "--n", "1", "--out", "said")
    assert run(capfd, "sample", *argv)[0] == 0
    from my_engine import parrot

    again = pw.sample("prompts.jsonl", policy=parrot, n=1, out="again")
    assert again.frame()["completion"][0][0]["content"] == "You asked: Why?"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_gates.py:no_such", r"there is no 'no_such' in it; did you mean|it has no_new_exclamation"),
        ("my_losses.py:hinge", r"a gate is written `def hinge\(revision, config\) -> Ending \| None`"),
        ("gone.py:gate", "no such file: gone.py"),
        ("my_gates.py", "name the function in it too"),
    ],
)
def test_what_is_no_gate_is_a_sentence(here, capfd, name, said):
    code, _, err = run(capfd, "revise", *REVISE, "--out", "x", "--gates", name)
    assert code != 0
    assert len(err.strip().splitlines()) == 1, err
    assert re.search(said, err), err
    assert not (here / "x").exists()
