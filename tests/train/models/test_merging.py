"""Adapters merged: the model says what it said with them apart, and nothing else of it is touched."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file
from tiny_model import TinyRun, save_tiny_model
from transformers import AutoModelForCausalLM

from pairwright.errors import UsageError
from train.models.language import load_base
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    own = TinyRun(tmp_path_factory.mktemp("merging"))
    own.settings |= {"loss": "dpo", "lora_r": 2, "max_steps": 3, "learning_rate": 0.05}
    return own


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    found: torch.Tensor = model.eval()(input_ids=torch.arange(40)[None]).logits
    return found


def apart_and_merged(tiny: TinyRun, name: str, **changes: Any) -> tuple[Path, Path]:
    """One run with its adapter apart and one with it merged."""
    folders = []
    for how in (False, True):
        config = tiny.config(f"{name}{how}", merge_adapter=how, **changes)
        train(config)
        folders.append(Path(config.output_dir))
    return folders[0], folders[1]


@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bf16"])
def test_untouched_weights_come_out_bit_for_bit(tiny: TinyRun, bf16: bool):
    apart, merged = apart_and_merged(tiny, f"bits{bf16}", bf16=bf16, lora_target_modules=("q_proj",))
    before = load_file(Path(tiny.settings["model"]) / "model.safetensors")
    after = load_file(merged / "model.safetensors")
    assert before.keys() == after.keys()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == [name for name in before if "q_proj" in name]
    expected = logits(AutoPeftModelForCausalLM.from_pretrained(apart, dtype=torch.float32))
    found = logits(AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32))
    assert torch.allclose(found, expected, atol=1e-5)


def test_of_what_was_learned_a_share_is_merged(tiny: TinyRun):
    configs = [tiny.config(f"share{s}", merge_adapter=True, merge_scale=s) for s in (1.0, 0.5)]
    for config in configs:
        train(config)
    folders = (tiny.settings["model"], *(config.output_dir for config in configs))
    before, whole, half = (load_file(Path(folder) / "model.safetensors") for folder in folders)
    assert any(not torch.allclose(whole[name], before[name], atol=1e-3) for name in before)
    assert all(torch.allclose(half[name], (before[name] + whole[name]) / 2, atol=1e-6) for name in before)
    whole_card, half_card = ((Path(config.output_dir) / "README.md").read_text() for config in configs)
    assert "the model has 50% of it" in half_card
    assert "the whole adapter" not in whole_card
    with pytest.raises(UsageError, match="--merge_scale is of a new LoRA adapter that is merged"):
        tiny.config("share", merge_adapter=True, merge_scale=0.5, use_dora=True)


def test_a_second_round_that_learns_nothing_loses_nothing(tiny: TinyRun):
    """Under bf16 each round reads what the one before wrote."""
    first = tiny.config("first", bf16=True, merge_adapter=True)
    train(first)
    second = tiny.config(
        "second", model=first.output_dir, bf16=True, merge_adapter=True, learning_rate=1e-30, max_steps=1
    )
    train(second)
    one, two = (load_file(Path(c.output_dir) / "model.safetensors") for c in (first, second))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_tied_embeddings_part_when_one_of_them_is_adapted(tiny: TinyRun, target: str):
    tied = save_tiny_model(tiny.folder / f"tied_{target}", tie_word_embeddings=True)
    targets = (target, "q_proj")
    apart, merged = apart_and_merged(tiny, target, model=tied, lora_target_modules=targets)
    expected = logits(AutoPeftModelForCausalLM.from_pretrained(apart))
    found = AutoModelForCausalLM.from_pretrained(merged)
    assert torch.allclose(logits(found), expected, atol=1e-4)
    assert not torch.allclose(logits(AutoModelForCausalLM.from_pretrained(tied)), expected, atol=1e-2)
    assert not found.config.tie_word_embeddings
    assert torch.allclose(logits(load_base(str(apart))), expected, atol=1e-4)


def test_tied_embeddings_that_no_adapter_touches_stay_one(tiny: TinyRun):
    tied = save_tiny_model(tiny.folder / "tied", tie_word_embeddings=True)
    apart, merged = apart_and_merged(tiny, "one", model=tied)
    assert "lm_head.weight" not in load_file(merged / "model.safetensors")
    expected = logits(AutoPeftModelForCausalLM.from_pretrained(apart))
    assert torch.allclose(logits(AutoModelForCausalLM.from_pretrained(merged)), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["use_rslora", "use_dora"])
def test_other_kinds_of_adapters_merge_to_what_peft_computes(tiny: TinyRun, kind: str):
    apart, merged = apart_and_merged(tiny, kind, **{kind: True})
    adapted = AutoPeftModelForCausalLM.from_pretrained(apart)
    assert getattr(adapted.peft_config["default"], kind)
    found = logits(AutoModelForCausalLM.from_pretrained(merged))
    assert torch.allclose(found, logits(adapted), atol=1e-4)


@pytest.mark.parametrize(
    "settings", [{"use_dora": True}, {"lora_target_modules": "q_proj"}, {"lora_alpha": 8}]
)
def test_settings_of_adapters_without_adapters_are_refused(tiny: TinyRun, settings: dict[str, Any]):
    with pytest.raises(
        UsageError, match=f"--{next(iter(settings))} is a setting of new adapters: give --lora_r"
    ):
        tiny.config("alone", lora_r=0, **settings)
