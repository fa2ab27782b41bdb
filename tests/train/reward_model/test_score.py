"""Scoring answers: the numbers, their order, resuming, and what is refused."""

import json
import math
import shutil
from pathlib import Path

import pytest
from in_process import run
from safetensors.torch import load_file, save_file
from tiny_model import TinyRun, write_jsonl

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import read_tables
from train.forward import rewards
from train.reward_model import scoring
from train.reward_model.config import ScoreConfig
from train.reward_model.score import score
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    """With a reward model that likes `yes`."""
    own = TinyRun(tmp_path_factory.mktemp("score"))
    rows = [{"prompt": f"say {n}", "chosen": "yes", "rejected": "no no"} for n in range(12)]
    data = write_jsonl(own.folder / "human.jsonl", rows)
    train(own.reward(data=data, learning_rate=1e-2, max_steps=12))
    return own


def answers(folder: Path, prompts: int = 3) -> str:
    rows = [
        {"prompt": f"say {n}", "completion": text, "tag": n}
        for n in range(prompts)
        for text in ("no no", "yes", "maybe" * 3)
    ]
    return write_jsonl(folder / "answers.jsonl", rows)


def config(tiny: TinyRun, folder: Path, source: str, **changes) -> ScoreConfig:
    values = {"reward_model": str(tiny.folder / "reward"), "input": source, "out": str(folder / "scored")}
    return ScoreConfig(**values | {"device": "cpu"} | changes)


def rows_of(folder: Path) -> list[dict]:
    return [row for table in read_tables(folder) for row in table.to_pylist()]


def test_all_answers_are_scored_and_ranked_and_the_best_can_be_had_alone(tiny, tmp_path):
    manifest = score(config(tiny, tmp_path, answers(tmp_path)))
    assert manifest is not None
    assert (manifest.counts, manifest.kept_rows) == ({"kept": 3}, 9)
    found = rows_of(tmp_path / "scored")
    for n in range(3):
        group = found[3 * n : 3 * n + 3]
        assert [row["rank"] for row in group] == [1, 2, 3]
        assert group[0]["completion"] == [{"role": "assistant", "content": "yes"}]
        assert group[0]["score"] > group[1]["score"] > group[2]["score"]
        assert {row["tag"] for row in group} == {n}
    assert len({row["row_id"] for row in found}) == 9
    score(config(tiny, tmp_path, answers(tmp_path), best_of_n=True))
    assert [row["score"] for row in rows_of(tmp_path / "scored")] == [
        row["score"] for row in found if row["rank"] == 1
    ]


def test_several_reward_models_score_together_and_say_how_far_they_disagree(tiny, tmp_path):
    """One whose head is three times as large gives three times the score."""
    other = tmp_path / "other"
    shutil.copytree(tiny.folder / "reward", other)
    weights = load_file(other / "model.safetensors")
    save_file(weights | {"score.weight": 3 * weights["score.weight"]}, other / "model.safetensors")
    both = f"{tiny.folder / 'reward'}+{other}"
    for how, factor in (("mean", lambda s: 2 * s), ("lowest", lambda s: min(s, 3 * s))):
        out = str(tmp_path / how)
        score(config(tiny, tmp_path, answers(tmp_path, 1), reward_model=both, reward_ensemble=how, out=out))
        for row in rows_of(Path(out)):
            first, second = row["member_scores"]
            assert second == pytest.approx(3 * first, rel=1e-5)
            assert row["score"] == pytest.approx(factor(first), rel=1e-5)
            assert row["score_sd"] == pytest.approx(abs(first), rel=1e-5)
    assert load_manifest(Path(out)).engines["reward"].startswith("lowest of ")


def test_answers_side_by_side_are_scored_too(tiny, tmp_path):
    source = write_jsonl(tmp_path / "wide.jsonl", [{"prompt": "say 1", "a": "no no", "b": "yes"}])
    score(config(tiny, tmp_path, source, columns="a,b"))
    assert [(row["rank"], row["completion_model"]) for row in rows_of(tmp_path / "scored")] == [
        (1, "b"),
        (2, "a"),
    ]


def test_what_cannot_be_scored_is_dropped_by_name_and_never_cut(tiny, tmp_path):
    rows = [
        {"prompt": "say 1", "completion": "yes"},
        {"prompt": "say 1", "completion": "yes" * 30},
        {"prompt": "say 2", "completion": "no" * 60},
        {"prompt": "say 3", "completion": ""},
    ]
    source = write_jsonl(tmp_path / "long.jsonl", rows)
    manifest = score(config(tiny, tmp_path, source, max_length=60))
    assert manifest is not None
    assert manifest.counts == {"kept": 1, "too_long": 1, "empty": 1}
    [row] = rows_of(tmp_path / "scored")
    assert (row["scored"], row["too_long"]) == (1, 1)


def test_a_run_cut_short_gives_the_same_scores_and_scores_nothing_finished_again(
    tiny, tmp_path, monkeypatch
):
    source = answers(tmp_path, 12)
    whole = config(tiny, tmp_path, source, out=str(tmp_path / "whole"), shard_size=4, batch_size=5)
    monkeypatch.setattr(scoring, "_CHUNK", 4)
    score(whole)
    cut = config(tiny, tmp_path, source, shard_size=4, batch_size=5)
    calls: list[int] = []
    original = rewards.answer_scores

    def failing(model, batch):
        calls.append(len(batch))
        if len(calls) == 5:  # three forward passes a shard of four prompts
            raise PairwrightError("the lights went out")
        return original(model, batch)

    monkeypatch.setattr(rewards, "answer_scores", failing)
    with pytest.raises(PairwrightError, match="the lights went out"):
        score(cut)
    assert load_manifest(tmp_path / "scored").counts == {"kept": 4}
    score(cut)
    assert len(calls) == 5 + 6
    assert rows_of(tmp_path / "scored") == rows_of(tmp_path / "whole")


def test_scores_that_are_not_numbers_are_refused(tiny, tmp_path):
    spoilt = tmp_path / "spoilt"
    shutil.copytree(tiny.folder / "reward", spoilt)
    weights = load_file(tiny.folder / "reward" / "model.safetensors")
    weights["model.norm.weight"][:] = 1e30  # finite, and its scores are not
    weights["score.weight"][:] = 1e30
    save_file(weights, spoilt / "model.safetensors", {"format": "pt"})
    with pytest.raises(PairwrightError, match=r"row \w+: its score is (nan|-?inf)"):
        score(config(tiny, tmp_path, answers(tmp_path), reward_model=str(spoilt)))


def test_another_reward_model_is_another_run(tiny, tmp_path):
    source = answers(tmp_path)
    score(config(tiny, tmp_path, source))
    train(tiny.reward("other", max_steps=1))
    with pytest.raises(UsageError, match="`reward model` was"):
        score(config(tiny, tmp_path, source, reward_model=str(tiny.folder / "other")))


def test_the_command_shows_counts_and_refuses_a_causal_model(tiny, tmp_path, capfd):
    source = answers(tmp_path)
    argv = ["score", str(tiny.folder / "reward"), source, "--out", str(tmp_path / "scored")]
    code, out, _ = run(capfd, *argv, "--preview")
    assert (code, "<|user|>say 0<|end|><|assistant|>yes<|end|>" in out) == (0, True)
    code, out, _ = run(capfd, *argv, "--dry_run")
    assert (code, "3 prompts, 9 answers" in out) == (0, True)
    assert not (tmp_path / "scored").exists()
    code, out, _ = run(capfd, *argv, "--device", "cpu")
    assert (code, "score" in out) == (0, True)
    argv[1] = tiny.settings["model"]
    code, _, err = run(capfd, *argv)
    assert (code, err.count("\n")) == (2, 1)
    assert "holds LlamaForCausalLM, which gives no scores; train a reward model from it first" in err
    source = write_jsonl(tmp_path / "none.jsonl", [{"prompt": "x", "completion": None}])
    code, _, err = run(capfd, "score", str(tiny.folder / "reward"), source, "--out", "x")
    assert (code, err.count("\n")) == (2, 1)
    assert math.isfinite(json.loads((tmp_path / "scored" / "stats.json").read_text())["cost"]["seconds"])
