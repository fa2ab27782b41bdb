"""The embedded model as policy and as judge: real probabilities, in both orders."""

import json

import pytest
from runs_on_disk import rows_of, write_jsonl

from judge.calibration.calibration import load_calibration
from judge.calibration.command import calibrate
from judge.calibration.config import CalibrateConfig
from judge.command import judge
from judge.config import JudgeConfig

ROWS = [
    {"prompt": "Name a fruit.", "good": "An apple is a fruit.", "bad": "purple purple"},
    {"prompt": "What is 2 + 2?", "good": "2 + 2 is 4.", "bad": "I like trains."},
]


def test_verdicts_are_probabilities_in_both_orders(tmp_path):
    rows = write_jsonl(tmp_path / "rows.jsonl", ROWS)
    config = JudgeConfig(
        input=str(rows), columns="good,bad", judge="hf:smollm2", out=str(tmp_path / "run"),
        max_failed=1.0, min_label_mass=0.0,
    )  # fmt: skip
    manifest = judge(config)
    assert manifest is not None
    assert sum(manifest.counts.values()) == 2
    assert manifest.counts.get("failed", 0) == 0
    for row in rows_of(tmp_path / "run"):
        votes = row["verdict"]["votes"]
        assert sorted(v["chosen_first"] for v in votes) == [False, True]
        for vote in votes:
            assert 0 < vote["outside_mass"] < 1
            assert vote["reply"]
            assert vote["probability"] is None or 0 < vote["probability"] < 1
    again = judge(config.model_copy(update={"fresh": True}))
    assert again is not None
    assert {i: s.sha256 for i, s in again.shards.items()} == {
        i: s.sha256 for i, s in manifest.shards.items()
    }


def test_on_policy_in_one_command(tmp_path):
    prompts = [{"prompt": "Say yes or no, in one word."}, {"prompt": "Name one color, in one word."}]
    rows = write_jsonl(tmp_path / "rows.jsonl", prompts)
    config = JudgeConfig(
        input=str(rows), policy="hf:smollm2", policy_max_tokens=40, judge="hf:smollm2",
        out=str(tmp_path / "run"), max_failed=1.0,
    )  # fmt: skip
    manifest = judge(config)
    assert manifest is not None
    assert sum(manifest.counts.values()) == 2
    assert {row["source"] for row in rows_of(tmp_path / "run")} == {"on_policy_judge"}


@pytest.mark.slow
def test_a_small_judge_is_said_to_be_no_good(tmp_path):
    pairs = [
        {"prompt": f"What is {n} + {n}?", "chosen": f"It is {2 * n}.", "rejected": f"It is {2 * n + 3}."}
        for n in range(2, 34)
    ]
    rows = write_jsonl(tmp_path / "rows.jsonl", pairs)
    calibrate(CalibrateConfig(input=str(rows), judge="hf:smollm2", out=str(tmp_path / "run")))
    found = load_calibration(tmp_path / "run")
    assert found.pairs == len(pairs)
    assert found.verdict != "better than length"
    assert json.loads((tmp_path / "run" / "calibration.json").read_text())["bins"] == 10
