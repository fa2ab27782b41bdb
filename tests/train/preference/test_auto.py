"""`--loss auto`: three outcomes, the evidence for each, and nobody is asked twice."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import run
from reward_toy import save_reward_model
from runs_on_disk import write_jsonl
from tiny_model import TinyRun, numbered_pairs

from judge.comparison.command import load_winrate
from pairwright.errors import UsageError
from pairwright.figures.intervals import Interval
from train.output.record import record_of
from train.preference.auto import SFT_TERM, Choice, choose, with_loss
from train.preference.config import TrainConfig
from train.training import train


@pytest.fixture
def tiny(tmp_path):
    own = TinyRun(tmp_path)
    own.settings |= {"loss": "auto", "max_steps": 1, "eval_share": 0.0}
    return own


def scored(tiny, scores):
    rows = [pair | {"edge": score} for pair, score in zip(numbered_pairs(len(scores)), scores, strict=True)]
    return str(write_jsonl(tiny.folder / "scored.jsonl", rows))


@pytest.mark.parametrize(
    ("scores", "loss", "rate"),
    [
        ([1.5] * 12, "apo_zero", 1.0),
        ([-0.1] * 11 + [2], "apo_down", 1 / 12),
        ([1] * 6 + [-1] * 5 + [0], "dpo", 6.5 / 12),
        ([1] * 4, "dpo", 1.0),  # four wins of four: could be luck (p = 1/8)
    ],
)
def test_scores_decide_and_the_run_is_that_of_the_loss(tiny, scores, loss, rate, capfd):
    config = tiny.config("out", data=scored(tiny, scores), score_column="edge")
    train(config)
    record = record_of(tiny.folder / "out")
    assert record.status == "finished"
    assert record.config["loss"] == record.identity["loss"] == loss
    choice = Choice.model_validate_json((tiny.folder / "out" / "auto" / "choice.json").read_bytes())
    assert choice.win_rate.value == pytest.approx(rate)
    assert f"loss {loss}: " in capfd.readouterr().err
    assert choice.sft_term == (loss == "dpo")
    named = tiny.config("out", data=config.data, loss=loss, **SFT_TERM if loss == "dpo" else {})
    assert train(named).status == "already_finished"  # the same run by its name


def test_an_sft_term_stands_beside_dpo_unless_the_settings_speak_of_one(tiny, capfd):
    data = scored(tiny, [1.0, -1.0] * 4)
    flags = [
        "train",
        "--model",
        tiny.settings["model"],
        "--data",
        data,
        "--loss",
        "auto",
        "--max_steps",
        "1",
    ]
    flags += ["--score_column", "edge", "--eval_share", "0", "--no_bf16", "--use_cpu"]
    without = ["--sft_weight", "0"]
    for name, more, expected in (("bare", [], SFT_TERM), ("none", without, {"sft_weight": 0})):
        out = tiny.folder / name
        code, _, err = run(capfd, *flags, *more, "--output_dir", str(out))
        assert code == 0, err
        assert record_of(out).config.items() >= expected.items()
        assert ("--sft_weight 0 leaves it out" in err) == (not more)
    path = tiny.folder / "bare" / "auto" / "choice.json"
    choice = json.loads(path.read_text())
    del choice["sft_term"]  # as it was written before there was a term
    path.write_text(json.dumps(choice))
    assert with_loss(tiny.config("bare", data=data, score_column="edge")).sft_weight == 0


def test_scores_that_changed_decide_anew_and_no_rows_decide_nothing(tiny):
    for scores, loss in (([1.5] * 12, "apo_zero"), ([-1.5] * 12, "apo_down")):
        config = tiny.config("out", data=scored(tiny, scores), score_column="edge")
        assert with_loss(config).loss == loss
    scored(tiny, [])
    with pytest.raises(UsageError, match=r"scored\.jsonl: no rows in it, so no `edge` tells"):
        with_loss(tiny.config("new", data=config.data, score_column="edge"))
    assert not (tiny.folder / "new").exists()


def test_a_function_decides_by_the_columns_of_the_pairs(tiny):
    """All chosen answers are right by their own rows, and the tiny model never is."""
    checks = tiny.folder / "checks.py"
    checks.write_text("def right(prompt, answer, row):\n    return row['gold'] in answer\n")
    pairs = [pair | {"gold": pair["chosen"][0]["content"]} for pair in numbered_pairs(8)]
    data = str(write_jsonl(tiny.folder / "gold.jsonl", pairs))
    decided = with_loss(tiny.config("out", data=data, judge=f"{checks}:right", max_length=64))
    assert decided.loss == "apo_zero"


def test_a_judge_compares_with_samples_of_the_model_and_is_asked_once(tiny):
    save_reward_model(tiny.folder / "taste")
    config = tiny.config("out", judge=f"reward:{tiny.folder / 'taste'}", auto_prompts=6, max_length=64)
    decided = with_loss(config)
    found = load_winrate(tiny.folder / "out" / "auto" / "winrate")
    choice = Choice.model_validate_json((tiny.folder / "out" / "auto" / "choice.json").read_bytes())
    assert (found.prompts, found.b) == (6, f"hf:{config.model}")
    assert found.mean_length_b > 0
    assert choice.win_rate == found.win_rate
    assert decided.loss == choice.loss == choose(found.win_rate, found.sign_test)
    shutil.rmtree(tiny.folder / "taste")
    assert with_loss(config) == decided
    with pytest.raises(UsageError, match="taste"):  # the judge, who is gone, is asked again
        with_loss(config.model_copy(update={"auto_prompts": 5}))


def test_other_processes_wait_for_the_first(tiny, monkeypatch):
    config = tiny.config("out", data=scored(tiny, [1] * 12), score_column="edge")
    monkeypatch.setenv("RANK", "1")

    def first_decides(_: float) -> None:
        monkeypatch.setenv("RANK", "0")
        with_loss(config)
        monkeypatch.setenv("RANK", "1")

    monkeypatch.setattr("time.sleep", first_decides)
    assert with_loss(config).loss == "apo_zero"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_rule(low, high, p):
    low, high = sorted((low, high))
    loss = choose(Interval((low + high) / 2, low, high), p)
    expected = "apo_zero" if low > 0.5 else "apo_down" if high < 0.5 else "dpo"
    assert loss == (expected if p <= 0.05 else "dpo")


def test_what_cannot_be_decided_is_a_sentence(tiny, capfd):
    for changes in ({}, {"judge": "hf:smollm2", "score_column": "edge"}):
        with pytest.raises(UsageError, match="--loss auto needs evidence"):
            TrainConfig(**tiny.settings | {"output_dir": "x"} | changes)
    with pytest.raises(UsageError, match=r"scored\.jsonl line 2: `edge` must be a number.*None"):
        with_loss(tiny.config("out", data=scored(tiny, [1, None]), score_column="edge"))
    with pytest.raises(UsageError, match=r"label_smoothing is for dpo, .* only, not for auto"):
        tiny.config("out", score_column="edge", label_smoothing=0.1)
    other = tiny.folder / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds other files \(notes\.txt\)"):
        with_loss(tiny.config("other", data=scored(tiny, [1]), score_column="edge"))
    assert json.dumps(sorted(p.name for p in other.iterdir())) == '["notes.txt"]'
    flags = ["train", "--model", tiny.settings["model"], "--data", tiny.settings["data"], "--loss", "auto"]
    code, _, err = run(capfd, *flags, "--output_dir", str(tiny.folder / "out"))
    assert code == 2
    assert err.startswith("pairwright: --loss auto needs evidence")


def test_a_dry_run_asks_nobody(tiny, capfd):
    train(tiny.config("out", judge="openai:none@http://127.0.0.1:9/v1", dry_run=True))
    assert not (tiny.folder / "out").exists()


@pytest.mark.parametrize(("score", "loss"), [(1.5, "apo_zero_unpaired"), (-1.5, "kto"), (0.0, "kto")])
def test_of_single_answers_the_desirable_ones_are_compared_and_their_own_losses_trained(
    tiny, score, loss, capfd
):
    rows = [
        {"prompt": f"say {n}", "completion": f"so {n}", "label": label, "edge": score if label else 9.0}
        for n in range(12)
        for label in (True, False)
    ]
    data = str(write_jsonl(tiny.folder / "single.jsonl", rows))
    decided = with_loss(tiny.config("out", data=data, score_column="edge"))
    assert decided.loss == loss
    said = capfd.readouterr().err
    assert "of 12 prompts" in said
    assert f"{loss} is trained: the form of " in said
