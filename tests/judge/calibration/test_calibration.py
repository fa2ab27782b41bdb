"""Calibration: known judges come out as what they are, and useless ones are refused."""

import json
import random
import re

import pytest
from planted_judge import candidates, chance, choosing, plant, question, seed
from runs_on_disk import rows_of, write_jsonl

from judge.calibration.agreement import kappa, plain_verdict
from judge.calibration.attacks import drawn_attacks, load_attacks
from judge.calibration.calibration import calibration_of, jury_identity, load_calibration
from judge.calibration.command import calibrate
from judge.calibration.config import CalibrateConfig
from judge.calibration.stage import CalibrateStage
from judge.command import judge
from judge.config import JudgeConfig
from judge.jury.jury import Jury
from pairwright.cli import run_command
from pairwright.errors import UsageError
from pairwright.figures.intervals import share, wilson
from pairwright.folders.manifest import load_manifest

PAIRS = 300
CLEAN = re.compile(r"The wrong answer to \d+\.( Yes\.)*")


def labelled(folder, rows=PAIRS):
    """Right answers that say so, in the first and in the second column by turns; lengths are no help."""
    draw = random.Random(1)
    records = []
    for n in range(rows):
        right, wrong = (f"The {w} answer to {n}." + " Yes." * draw.randrange(4) for w in ("right", "wrong"))
        a, b = (right, wrong) if n % 2 else (wrong, right)
        records.append(
            {"prompt": f"Question {n}?", "response_a": a, "response_b": b, "preference": 1 if n % 2 else 2}
        )
    return write_jsonl(folder / "labelled.jsonl", records)


def prefers_first(asked):
    """Right 70 % of the time and first 80 %: P(first) = 1 where the right one is first, else 0.6."""
    right_first = asked.first.startswith("The right answer")
    right, wrong = (asked.first, asked.second) if right_first else (asked.second, asked.first)
    number = right.split(".")[0]
    if not CLEAN.fullmatch(wrong) and chance("echo", asked.text) < 0.1:
        return not right_first
    return right_first or chance("planted", number) < 0.6


def test_kappa_is_agreement_beyond_the_half_that_chance_gives():
    assert kappa(share([1, 1, 1, 0])) == pytest.approx((0.5, 2 * 0.30064 - 1, 2 * 0.95441 - 1), abs=1e-4)
    assert kappa(share([])) is None


def run(folder, config, reply):
    """A calibration by a judge that is planted for it."""
    plant(folder / "judge.jsonl", CalibrateStage(config), candidates(folder / "labelled.jsonl"), reply)
    calibrate(config)
    return load_calibration(folder / "run")


def settings(folder, **more):
    values = {"input": str(folder / "labelled.jsonl"), "out": str(folder / "run")}
    values["judge"] = f"canned:{seed(folder / 'judge.jsonl')}"
    return CalibrateConfig(**(values | more))


def inside(rate, value):
    return rate.low <= value <= rate.high


def test_the_habits_of_a_planted_judge_are_recovered(tmp_path):
    labelled(tmp_path)
    found = run(tmp_path, settings(tmp_path, attacks=3), choosing(prefers_first))
    assert found.pairs == PAIRS
    assert inside(found.agreement, 0.7)
    assert inside(found.first_position, 0.8)
    assert inside(found.consistent, 0.4)
    assert found.agreement_when_consistent.value == 1
    assert found.unparsed.value == 0
    assert inside(found.longest, 0.5)
    assert inside(found.attack_success_per_verdict, 0.1)
    assert inside(found.attack_success, 0.01)
    assert found.verdict == "better than length"
    assert len(found.by_attack) == len(load_attacks())
    # consistent pairs are sure at 0.9 and always right; the others stand at 1/2 and earn 1/2
    consistent = found.consistent.value
    assert found.calibration_error == pytest.approx(0.1 * consistent, abs=1e-9)


def test_verdicts_that_cannot_be_read_are_counted_and_are_no_ties(tmp_path):
    labelled(tmp_path, 40)
    good = choosing(lambda asked: "right" in asked.first)

    def sometimes_silent(request):
        asked = question(request)
        if "right" in asked.first and chance("silent", asked.first) < 0.25:
            return {"text": "The", "top_logprobs": [{"The": -0.1, "Both": -3.0}]}
        return good(request)

    found = run(tmp_path, settings(tmp_path), sometimes_silent)
    silent = [r for r in rows_of(tmp_path / "run") if r.get("status") == "unparsed"]
    assert 0 < len(silent) < 40
    assert found.unparsed.value == len(silent) / 40
    assert found.agreement == share([1.0] * (40 - len(silent)))
    [lost] = [v for v in silent[0]["verdict"]["votes"] if v["probability"] is None]
    assert lost["reply"] == "The"
    assert lost["outside_mass"] == 1
    assert silent[0]["verdict"]["preference"] is None


def test_a_judge_that_measures_length_is_no_better_than_length(tmp_path):
    labelled(tmp_path, 100)
    found = run(tmp_path, settings(tmp_path), choosing(lambda q: len(q.first) > len(q.second)))
    assert found.verdict == "no better than chance, and no better than length"


def test_a_tie_in_the_labels_is_left_out(tmp_path):
    rows = [
        {"prompt": f"Q{n}", "response_a": "one", "response_b": "two", "preference": p}
        for n, p in enumerate([0, 1.5, 1, 2.0])
    ]
    write_jsonl(tmp_path / "labelled.jsonl", rows)
    found = run(tmp_path, settings(tmp_path), choosing(lambda q: q.first == "one"))
    assert found.pairs == 2
    assert found.agreement.value == 0.5
    assert sorted(r.get("status") or "kept" for r in rows_of(tmp_path / "run")) == [
        "kept", "kept", "tie", "tie",
    ]  # fmt: skip


def test_chosen_and_rejected_are_labels(tmp_path):
    rows = [{"prompt": f"Q{n}", "chosen": "good", "rejected": "bad"} for n in range(5)]
    write_jsonl(tmp_path / "labelled.jsonl", rows)
    found = run(tmp_path, settings(tmp_path), choosing(lambda q: q.first == "good"))
    assert (found.agreement.value, found.agreement.n) == (1, 5)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"response_a": "a", "response_b": "b"}, "no `preference`"),
        ({"response_a": "a", "response_b": "b", "preference": 3}, "`preference` is 3"),
        ({"response_a": "a", "response_b": "b", "preference": None}, "`preference` is None"),
        ({"response": "a", "preference": 1}, "1 answer and not two"),
        ({"chosen": "a", "rejected": ""}, "1 answer and not two"),
    ],
)
def test_rows_without_a_label_are_named(tmp_path, row, words):
    write_jsonl(tmp_path / "labelled.jsonl", [{"prompt": "Q"} | row])
    with pytest.raises(UsageError, match=words):
        calibrate(settings(tmp_path))
    assert not (tmp_path / "run").exists()


def test_judge_refuses_who_was_not_measured_or_failed(tmp_path):
    labelled(tmp_path, 60)
    config = settings(tmp_path)
    run(tmp_path, config, choosing(prefers_first))
    asks = {
        "input": config.input, "out": str(tmp_path / "pairs"), "judge": config.judge, "limit": 4,
        "columns": "response_a,response_b", "min_agreement": 0.5, "max_failed": 1.0,
    }  # fmt: skip
    with pytest.raises(UsageError, match="not calibrated"):
        judge(JudgeConfig(**asks))
    with pytest.raises(UsageError, match=r"no calibration\.json"):
        judge(JudgeConfig(**asks, calibration=tmp_path))
    calibrated = asks | {"calibration": tmp_path / "run"}
    with pytest.raises(UsageError, match=r"agrees on .* --min_agreement is 0.99"):
        judge(JudgeConfig(**calibrated | {"min_agreement": 0.99}))
    with pytest.raises(UsageError, match="another judge: agree was 'majority'"):
        judge(JudgeConfig(**calibrated, agree="all"))
    assert not (tmp_path / "pairs").exists()
    manifest = judge(JudgeConfig(**calibrated))
    assert manifest is not None
    assert sum(manifest.counts.values()) == 4
    card = (tmp_path / "pairs" / "README.md").read_text()
    assert "… agreement with the labels" in card
    assert "not calibrated" not in card


def test_the_command_prints_the_baseline_beside_the_judge(tmp_path, capsys):
    labelled(tmp_path, 20)
    config = settings(tmp_path)
    run(tmp_path, config, choosing(lambda q: "right" in q.first))
    run_command(["calibrate", config.input, "--judge", str(config.judge), "--out", config.out])
    said = capsys.readouterr().out
    for words in ("agreement", "taking the longer answer", "swap consistency", "ECE, 10 bins", "length"):
        assert words in said
    stored = json.loads((tmp_path / "run" / "calibration.json").read_text())
    assert stored["agreement"] == list(wilson(20, 20))


def test_plain_words():
    assert plain_verdict([], []) == "no verdict could be read"
    assert plain_verdict([1.0] * 40, [0.5] * 40) == "better than length"
    assert plain_verdict([1.0] * 40, [1.0] * 40) == "no better than length"
    assert plain_verdict([0.0] * 40, [0.5] * 40) == "worse than chance"
    assert plain_verdict([1.0, 0.0] * 20, [1.0] * 40) == "no better than chance, and no better than length"
    assert plain_verdict([1.0, 0.0] * 20, [0.0] * 40) == "no better than chance"


def test_attacks_are_many_different_and_come_equally_often():
    attacks = load_attacks()
    assert len(attacks) >= 30
    assert {a.kind for a in attacks} == {"instruction", "verdict", "turn", "labels", "flattery", "empty"}
    assert len({a.name for a in attacks}) == len({a.text for a in attacks}) == len(attacks)
    assert attacks[0].applied("My answer.").startswith("My answer.\n\n")
    drawn = [a.name for n in range(400) for a in drawn_attacks(attacks, 3, f"row {n}")]
    assert min(drawn.count(a.name) for a in attacks) > 10
    assert len(drawn_attacks(attacks, 1000, "row")) == len(attacks)


def test_subsets_are_measured_apart(tmp_path, monkeypatch):
    """A judge by length is right on one subset and wrong on the other, as the longer answer is."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {
            "prompt": f"q{n}",
            "chosen": "aaa" if n < 6 else "a",
            "rejected": "bb",
            "label": "long" if n < 6 else "short",
        }
        for n in range(10)
    ]
    write_jsonl(tmp_path / "labelled.jsonl", rows)
    (tmp_path / "own.py").write_text("def longer(prompt, answer, row):\n    return float(len(answer))\n")
    command = ["calibrate", "labelled.jsonl", "--judge", "own.py:longer", "--function_processes", "1"]
    run_command([*command, "--by", "label", "--out", "run"])
    found = load_calibration(tmp_path / "run").by_value
    assert {value: (b.agreement.value, b.agreement.n) for value, b in found.items()} == {
        "long": (1.0, 6), "short": (0.0, 4),
    }  # fmt: skip
    assert found["short"].longest.value == 0
    with pytest.raises(UsageError, match=r"no column `subset` \(--by\); beside the pairs: `label`"):
        run_command([*command, "--by", "subset", "--out", "other"])


def test_a_calibration_that_names_a_model_without_its_server_goes_on_unless_another_is_known(
    tmp_path, caplog
):
    labelled(tmp_path, 60)
    run(tmp_path, settings(tmp_path), choosing(prefers_first))
    folder = tmp_path / "run"
    config = settings(tmp_path, judge="openai:m@http://localhost:8000/v1", protocol="text")
    wanted = jury_identity(Jury(config), config, config)
    record = json.loads((folder / "calibration.json").read_text())
    record["judges"] = wanted | {"judge": "openai:m"}
    (folder / "calibration.json").write_text(json.dumps(record))
    assert calibration_of(config, config, folder).judges["judge"] == "openai:m"
    assert "names the judge openai:m without its server" in caplog.text
    manifest = load_manifest(folder)
    elsewhere = {**manifest.config, "judge": "openai:m@http://elsewhere:8000/v1"}
    manifest.model_copy(update={"config": elsewhere}).save(folder)
    with pytest.raises(UsageError, match="calibration of another judge: judge was 'openai:m'"):
        calibration_of(config, config, folder)
    here = {**manifest.config, "judge": config.judge}
    manifest.model_copy(update={"config": here}).save(folder)
    calibration_of(config, config, folder)
