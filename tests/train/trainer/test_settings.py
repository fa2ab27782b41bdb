"""Settings: each is felt where it should be, or refused where it means nothing."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from checkpoints import folder_hash, folder_hash_of
from tiny_model import (
    TinyRun,
    read_metrics,
)

from pairwright.errors import UsageError
from train.preference.config import TrainConfig
from train.preference.objective import objective_of
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("tiny"))


SETTINGS = [
    {"loss": "dpo"},
    {"loss": "ipo"},
    {"loss": "apo_down"},
    {"beta": 0.5},
    {"loss": "dpo", "label_smoothing": 0.2},
    {"sft_weight": 0.5},
    {"sft_weight": 0.5, "sft_reduction": "sum"},
    {"sft_weight": 0.5, "sft_times_beta": True},
    {"preset": "irpo"},
    {"learning_rate": 1e-3},
    {"num_train_epochs": 3},
    {"max_steps": 2},
    {"pairs_per_update": 2},
    {"lr_scheduler_type": "linear"},
    {"warmup_ratio": 0.6},
    {"max_grad_norm": 1e-6},
    {"weight_decay": 0.5},
    {"bf16": True},
    {"seed": 7},
    {"max_length": 24},
    {"limit": 6},
    {"eval_share": 0.4},
]


ADAPTED = [{}, {"lora_r": 1}, {"lora_alpha": 1}, {"lora_target_modules": "q_proj,v_proj"}]


def weights_after(tiny: TinyRun, **changes: Any) -> str:
    name = "felt" + "".join(f"-{field}-{value}" for field, value in changes.items())
    train(tiny.config(name, **{"num_train_epochs": 2} | changes))
    return folder_hash_of(tiny.folder / name, "*.safetensors")


def test_every_setting_that_should_be_felt_is_felt(tiny):
    """No two of these runs end in the same weights."""
    felt = [weights_after(tiny, **changes) for changes in [{}, *SETTINGS]]
    felt += [weights_after(tiny, **{"lora_r": 2} | changes) for changes in ADAPTED]
    assert len(set(felt)) == len(felt)


def test_what_should_not_be_felt_is_not(tiny):
    plain = weights_after(tiny)
    for changes in (
        {"logging_steps": 3},
        {"eval_steps": 1},
        {"save_steps": 1, "save_total_limit": 1},
        {"report_to": "tensorboard"},
    ):
        assert weights_after(tiny, **changes) == plain


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("loss", {"loss": "dpo"}),
        ("beta", {"beta": 0.2}),
        ("learning_rate", {"learning_rate": 1e-3}),
        ("seed", {"seed": 1}),
        ("pairs_per_update", {"pairs_per_update": 5}),
        ("max_length", {"max_length": 100}),
        ("lora_r", {"lora_r": 1}),
        ("sft_weight", {"sft_weight": 0.1}),
        ("bf16", {"bf16": True}),
        ("warmup_ratio", {"warmup_ratio": 0.0}),
        ("limit", {"limit": 9}),
        ("eval_share", {"eval_share": 0.3}),
    ],
)
def test_another_configuration_is_refused_naming_the_field(tiny, field, changes):
    config = tiny.config("mine")
    train(config)
    before = folder_hash(tiny.folder / "mine")
    with pytest.raises(UsageError, match=f"`{field}` was .* and is now .*--fresh"):
        train(tiny.config("mine", **changes))
    assert folder_hash(tiny.folder / "mine") == before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss": "apo_zero", "label_smoothing": 0.1}, "smaller learning rate"),
        ({"loss": "apo_down", "label_smoothing": 0.1}, "nobody has studied"),
        (
            {"loss": "ipo", "label_smoothing": 0.1},
            "label_smoothing is for dpo, dpo_norm, .* only, not for ipo: its squared",
        ),
        ({"eval_data": "a.jsonl", "eval_share": 0.2}, "not both"),
        ({"sft_times_beta": True}, "sft_weight"),
    ],
)
def test_combinations_that_mean_nothing_are_refused(tiny, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        tiny.config("refused", **changes)


def test_presets_are_the_published_settings_and_what_is_named_wins(tiny):
    config = tiny.config(preset="rpo_sum")
    assert (config.loss, config.beta, config.sft_weight) == ("dpo", 0.01, 0.005)
    assert (config.sft_reduction, config.sft_times_beta) == ("sum", True)
    assert objective_of(config).sft_weight == pytest.approx(5e-5)
    config = tiny.config(preset="rpo_mean", beta=0.3, loss="apo_zero")
    assert (config.loss, config.beta, config.sft_weight) == ("apo_zero", 0.3, 0.2)
    assert TrainConfig.model_validate(config.model_dump(mode="json")) == config


def test_weight_decay_spares_vectors_and_settings_reach_the_optimizer(tiny, monkeypatch):
    seen: dict[str, Any] = {}
    original = torch.optim.AdamW

    def spy(groups: list[dict[str, Any]], **kwargs: Any) -> torch.optim.Optimizer:
        seen["decays"] = [(g["weight_decay"], {p.dim() for p in g["params"]}) for g in groups]
        return original(groups, **kwargs)

    monkeypatch.setattr(torch.optim, "AdamW", spy)
    train(tiny.config("decay", weight_decay=0.3, max_steps=1))
    assert seen["decays"] == [(0.3, {2}), (0.0, {1})]


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
def test_learning_rates_and_clipping_are_as_asked(tiny, kind):
    config = tiny.config(
        f"rates-{kind}", lr_scheduler_type=kind, max_steps=4, warmup_ratio=0.5, max_grad_norm=1e-9
    )
    train(config)
    rates = [r["learning_rate"] / 3e-3 for r in read_metrics(config.output_dir) if "loss" in r]
    last = {"cosine": 0.5, "linear": 0.5, "constant": 1.0}[kind]
    assert rates == pytest.approx([0.5, 1, 1, last])


def test_importing_train_is_light():
    code = "import sys, train, train.config, train.selection.selection; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
