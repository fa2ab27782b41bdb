"""The game's settings: those of its commands in sections, what is refused, what moved, what is shown."""

import json
from pathlib import Path

import pytest
import yaml
from game_toy import Toy
from in_process import run
from in_sections import changed
from places import ROOT
from tiny_model import save_tiny_model, write_jsonl

from pairwright.config import setting_named
from pairwright.errors import UsageError
from train.adversarial.config import GameConfig
from train.adversarial.game import game
from train.adversarial.steps import Steps


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Toy:
    """A game of one short round, on the toy's models and data."""
    own = Toy(tmp_path_factory.mktemp("game"))
    once = {"num_train_epochs": 1}
    shorter = {"rounds": 1, "limit": 10, "eval_n": 1, "sample": {"n": 3}, "reward": once, "train": once}
    own.settings = changed(own.settings, shorter)
    return own


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sample": {"n": 1}, "train": {"loss": "dpo"}}, "--sample.n 1: dpo compares two answers"),
        ({"sample": {"n": 1}, "train": {"loss": "rrhf"}}, "--sample.n 1: rrhf compares two answers"),
        ({"score": {"best_of_n": True}, "train": {"loss": "dpo"}}, "leaves one answer to a prompt"),
        ({"reward": {"rm_kl": 0, "apo_coeff": 0}}, "nothing to learn from"),
        ({"reward": {"loss": "wgan", "apo_coeff": 0}}, "loss of golden pairs"),
        ({"reward": {"eval_share": 0}}, "leaves no human pairs to measure reward models on"),
        ({"train": {"learning_rate": "0"}}, "rates above 0"),
        ({"train": {"sft_weight": 0}}, "nothing but its SFT term"),
    ],
)
def test_settings_that_mean_nothing_are_refused(toy, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        toy.config(**changes)


def test_what_cannot_be_used_is_a_sentence_and_nothing_is_written(toy, tmp_path):
    holes = write_jsonl(tmp_path / "holes.jsonl", [{"prompt": "a", "golden": "b"}, {"prompt": "c"}])
    nameless = write_jsonl(tmp_path / "nameless.jsonl", [{"prompt": "a", "best": "b"}])
    causal = toy.settings["model"]
    for changes, sentence in (
        ({"rm_prompts": holes}, r"holes\.jsonl line 2: no golden answer in `golden`"),
        (
            {"rm_prompts": nameless},
            "no column `golden` of golden answers; its columns are `prompt`, `best`",
        ),
        ({"train": {"pairs_per_update": 64}}, r"llm\.jsonl: 10 prompts, fewer than the 64 of one update"),
        ({"evaluator": causal}, "holds LlamaForCausalLM, which gives no scores"),
        ({"winrate": {"judge": "check:math", "calibration": "gone"}}, r"gone: no calibration\.json here"),
        ({"evaluator": "ck.py:frac"}, "--evaluator ck.py:frac: is no reward model; .* --eval.verify"),
        ({"human": "gone.jsonl"}, r"gone\.jsonl: no such file"),
        ({"model": "./gone"}, "no such folder"),
    ):
        with pytest.raises(UsageError, match=sentence):
            game(toy.config("never", **changes))
        assert not (toy.folder / "never").exists()


def test_another_game_is_refused_by_the_name_of_its_setting(toy):
    plain = {"reward": {"apo_coeff": 0.0}}
    game(toy.config("mine", **plain))
    others = (("sample", "n", 2), ("reward", "rm_kl", 0.5), ("train", "loss", "dpo"), ("train", "seed", 9))
    for section, name, value in others:
        told = f"belongs to a game with other settings: `{section}.{name}` was"
        with pytest.raises(UsageError, match=told):
            game(toy.config("mine", **changed(plain, {section: {name: value}})))
    (toy.folder / "foreign").mkdir()
    (toy.folder / "foreign" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"holds other files \(thesis.txt\)"):
        game(toy.config("foreign"))


def test_the_command_shows_the_table(toy, capfd, tmp_path):
    settings = changed(toy.settings, {"reward": {"apo_coeff": 0.0}})
    (tmp_path / "game.yaml").write_text(yaml.safe_dump(settings))
    argv = ["game", "--config", str(tmp_path / "game.yaml"), "--output_dir", str(toy.folder / "commanded")]
    code, out, _ = run(capfd, *argv)
    assert code == 0
    assert "RM acc" in out
    assert "…" not in out
    code, _, err = run(capfd, *argv, "--sample.n", "1", "--train.loss", "dpo")
    assert (code, err.count("\n")) == (2, 1)


def test_the_example_is_played(tmp_path, capfd, monkeypatch):
    """Its settings and data, shortened, and a tiny model in the place of the embedded one."""
    monkeypatch.chdir(ROOT)
    tiny = save_tiny_model(tmp_path / "tiny")
    argv = ["game", "--config", "examples/game/game.yaml", "--model", tiny]
    argv += ["--output_dir", str(tmp_path / "game"), "--limit", "8", "--rounds", "1"]
    argv += ["--train.use_cpu", "--reward.use_cpu"]
    code, out, err = run(capfd, *argv)
    assert code == 0, err
    assert "RM acc" in out
    human = Path("examples/game/human.jsonl").read_text().splitlines()
    record = tmp_path / "game" / "round-1" / "reward" / "train.json"
    settings = json.loads(record.read_text())["config"]
    assert (settings["lora_r"], settings["pairs_per_update"], len(human)) == (16, 16, 212)


def test_the_settings_file_and_flags_mean_the_same(toy):
    assert GameConfig.model_validate(toy.config().model_dump(mode="json")) == toy.config()


def test_settings_of_the_version_before_are_told_their_new_places(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text("model: smollm2\nsamples: 4\nllm_loss: dpo\nlora_r: 16\njudge: hf:x\n")
    code, _, err = run(capfd, "game", "--config", "old.yaml", "--output_dir", "out")
    assert code == 2
    assert err == (
        "pairwright: --config old.yaml line 2: samples is now sample.n; llm_loss is now train.loss; lora_r "
        "is now train.lora_r and reward.lora_r; judge is now winrate.judge\n"
    )
    assert all(setting_named(GameConfig, place) for places in GameConfig.moved.values() for place in places)


def test_settings_of_the_commands_pass_through(toy):
    config = toy.config(
        train={"loss": "dpo", "pairs": "all", "lora_r": 4, "lora_alpha": 8},
        reward={"warmup_ratio": 0.3, "model": "other"},
        score={"dtype": "bfloat16"},
        winrate={"judge": "hf:smollm2", "reasoning_tokens": 9},
    )
    steps = Steps(config, Path("game"), 2)
    assert (steps.training.pairs, steps.training.lora_alpha, steps.training.model) == (
        "all",
        8,
        "game/round-1/llm",
    )
    assert (steps.rewarding.warmup_ratio, steps.rewarding.model) == (0.3, "other")
    assert steps.scoring("rm", "llm_samples", "scored").dtype == "bfloat16"
    assert steps.comparing(Path("prompts")).reasoning_tokens == 9
    assert steps.rewarding.lr_scheduler_type == "linear"


@pytest.mark.parametrize("policy", ["hf:{place}", "vllm:{place}", "openai:{place}@http://localhost:1/v1"])
def test_the_language_model_answers_in_any_engine_that_loads_it(toy, policy):
    kind = policy.removesuffix(":{place}")
    config = toy.config(sample={"policy": kind.replace("{place}", "{model}")})
    steps = Steps(config, toy.folder, 0)
    assert steps.looking(Path("p")).policy == policy.replace("{place}", toy.settings["model"])


@pytest.mark.parametrize("look", ["preview", "dry_run"])
def test_what_a_round_would_ask_is_shown_or_counted(toy, capfd, look):
    replies = write_jsonl(toy.folder / "replies.jsonl", [{"text": "aaabbbb"}])
    config = toy.config("shown", golden=f"canned:{replies}", train={"loss": "dpo"}, **{look: True})
    assert game(config) == []
    out, _ = capfd.readouterr()
    assert not (toy.folder / "shown").exists()
    for step in ("golden answers, once", "golden ones are set against", "learns from", "looked at"):
        assert step in out, step
    assert ("sample: 10 rows" in out) == (look == "dry_run")
