"""Adapters over weights in four bits: real ones, by bitsandbytes, on a CPU."""

import json
import signal
import sys
import time
from pathlib import Path

import bitsandbytes as bnb
import pytest
import torch
from architectures import one_by_one
from bitsandbytes.functional import dequantize_4bit
from gradients import gradient_of
from peft import AutoPeftModelForCausalLM, PeftModel
from ranks import started, together
from safetensors.torch import load_file
from tiny_model import TinyRun, read_metrics
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, BitsAndBytesConfig

from pairwright.errors import UsageError
from pairwright.models.loading import load_tokenizer
from train.data.pairs import load_pairs
from train.forward.answers import collate
from train.forward.logprobs import answer_logprobs, answers_of, token_logprobs
from train.forward.support import tree_support
from train.models.four_bits import is_packed, require_four_bits
from train.models.language import load_model, switch_randomness_off, trained
from train.on_policy.config import LoopConfig
from train.on_policy.loop import loop
from train.preference.config import TrainConfig
from train.training import train

FOUR_BITS = {"lora_r": 2, "load_in_4bit": True}
LONG = {"max_steps": 40, "save_steps": 2, "eval_steps": 7, "logging_steps": 3, "save_total_limit": 99}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    own = TinyRun(tmp_path_factory.mktemp("qlora"))
    own.settings |= FOUR_BITS
    return own


@pytest.fixture(scope="module")
def trained_run(tiny) -> TrainConfig:
    config = tiny.config("trained", num_train_epochs=3)
    train(config)
    return config


def packed_layers(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    return {name: m for name, m in model.named_modules() if isinstance(m, bnb.nn.Linear4bit)}


def nudged(config: TrainConfig) -> torch.nn.Module:
    """A model whose adapters do something."""
    model = load_model(config, bf16=False)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in trained(model).values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def rounded_base(tiny: TinyRun) -> str:
    """The model with the weights that four bits leave of it, in a folder, in float32."""
    folder = tiny.folder / "rounded"
    packed = load_model(tiny.config(), bf16=False).get_base_model()
    whole = AutoModelForCausalLM.from_pretrained(tiny.settings["model"])
    for name, layer in whole.named_modules():
        found = packed.get_submodule(name)
        found = getattr(found, "base_layer", found)
        if isinstance(found, bnb.nn.Linear4bit):
            layer.weight.data = dequantize_4bit(found.weight.data, found.weight.quant_state)
    whole.save_pretrained(folder)
    load_tokenizer(tiny.settings["model"]).save_pretrained(folder)
    return str(folder)


def test_linear_layers_are_nf4_and_nothing_else_is_rounded(tiny):
    model = load_model(tiny.config(), bf16=True)
    layers = packed_layers(model)
    assert len(layers) == 2 * 7
    for layer in layers.values():
        state = layer.weight.quant_state
        assert layer.weight.dtype == torch.uint8
        assert (state.quant_type, state.nested, layer.compute_dtype) == ("nf4", True, torch.bfloat16)
    assert {p.dtype for p in trained(model).values()} == {torch.float32}
    assert all("lora_" in name for name in trained(model))
    assert not is_packed(model.get_output_embeddings())
    whole = load_file(Path(tiny.settings["model"]) / "model.safetensors")
    embeddings = model.get_input_embeddings().weight
    assert torch.equal(embeddings, whole["model.embed_tokens.weight"].bfloat16())


def test_the_gradient_is_that_of_adapters_on_the_rounded_weights(tiny):
    """Also after passes without a gradient, which change how a CPU would keep packed weights."""
    rounded = rounded_base(tiny)
    expected = gradient_of(tiny.config(model=rounded, load_in_4bit=False))
    found = gradient_of(tiny.config())
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        assert gradient.abs().max() > 0
        assert torch.allclose(found[name], gradient, rtol=1e-4, atol=1e-6), name


def test_trees_over_packed_weights_are_exact(tiny):
    config = tiny.config()
    model, pairs = nudged(config), load_pairs(config, load_tokenizer(config.model)).training
    answers = answers_of(pairs)
    assert tree_support(model).trees
    with torch.no_grad():
        found = answer_logprobs(model, answers).sums_A
        padded = collate(answers)
        assert torch.allclose(found, padded.sums(token_logprobs(model, padded)), atol=1e-4)
    assert torch.allclose(found, one_by_one(model, answers), atol=2e-4)


@pytest.mark.parametrize("bf16", [False, True])
def test_the_start_is_the_reference_and_training_lowers_the_loss(tiny, bf16):
    config = tiny.config(f"start-{bf16}", bf16=bf16, num_train_epochs=3, gradient_checkpointing=bf16)
    result = train(config)
    first = read_metrics(config.output_dir)[0]
    assert first["eval_logratios/chosen"] == pytest.approx(0, abs=1e-5 if not bf16 else 0.05)
    assert result.metrics["eval_loss"] < first["eval_loss"] - 0.01


def test_the_adapter_loads_on_whole_and_on_packed_weights(trained_run):
    folder = Path(trained_run.output_dir)
    assert (folder / "adapter_model.safetensors").exists()
    assert not (folder / "model.safetensors").exists()
    measured = read_metrics(folder)[-1]["eval_logps/chosen"]
    held_out = load_pairs(trained_run, load_tokenizer(trained_run.model)).held_out
    packing = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )  # fmt: skip
    for how, near in (({"quantization_config": packing}, 1e-4), ({}, 3.0)):
        model = AutoPeftModelForCausalLM.from_pretrained(folder, **how)
        switch_randomness_off(model)
        with torch.no_grad():
            logps = answer_logprobs(model, answers_of(held_out)).sums_A[: len(held_out)]
        assert logps.mean().item() == pytest.approx(measured, abs=near)


def test_merging_adds_the_adapter_to_the_weights_before_they_were_rounded(tiny, trained_run):
    train(tiny.config("merged", num_train_epochs=3, merge_adapter=True))
    whole = load_file(Path(tiny.settings["model"]) / "model.safetensors")
    adapter = load_file(Path(trained_run.output_dir) / "adapter_model.safetensors")
    merged = load_file(tiny.folder / "merged" / "model.safetensors")
    assert merged.keys() == whole.keys()
    changed = 0
    for name, weight in whole.items():
        parts = [f"base_model.model.{name.removesuffix('weight')}lora_{x}.weight" for x in "BA"]
        if parts[0] in adapter:
            weight = weight + adapter[parts[0]] @ adapter[parts[1]] * (tiny.config().lora_alpha / 2)
            changed += 1
        assert torch.allclose(merged[name], weight, atol=1e-6), name
    assert changed == 14
    before, after = (Path(f) / "config.json" for f in (tiny.settings["model"], tiny.folder / "merged"))
    assert json.loads(before.read_text()) == json.loads(after.read_text())


def test_a_reward_model_is_written_whole(tiny):
    config = tiny.reward(max_steps=3)
    train(config)
    written = json.loads((Path(config.output_dir) / "config.json").read_text())
    assert "quantization_config" not in written
    model = AutoModelForSequenceClassification.from_pretrained(config.output_dir)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert torch.isfinite(model(torch.tensor([[5, 6, 7]])).logits).all()


def test_a_killed_run_goes_on_to_the_bit(tiny):
    """SIGKILL in a process of its own, after some checkpoint; this one goes on and ends like the other."""
    golden, killed = tiny.config("golden", **LONG), tiny.config("killed", **LONG)
    train(golden)
    [process] = started([killed.model_dump(mode="json")], ranks=1)
    deadline = time.monotonic() + 100
    while not (Path(killed.output_dir) / "checkpoint-4").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (Path(killed.output_dir) / "adapter_model.safetensors").exists()
    train(killed)
    folders = [Path(config.output_dir) for config in (golden, killed)]
    for name in ("adapter_model.safetensors", "checkpoint-40/optimizer.safetensors"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    mine, theirs = map(read_metrics, folders)
    assert mine == theirs


def test_a_checkpoint_is_as_peft_reads_it(tiny):
    config = tiny.config("looked-at", max_steps=2, save_steps=2)
    train(config)
    base = AutoModelForCausalLM.from_pretrained(tiny.settings["model"])
    adapted = PeftModel.from_pretrained(base, Path(config.output_dir) / "checkpoint-2")
    moved = [p for name, p in adapted.named_parameters() if "lora_B" in name]
    assert moved
    assert all(p.abs().max() > 0 for p in moved)


def test_two_processes_make_the_updates_of_one(tiny):
    settings = {"max_steps": 4, "pairs_per_update": 3, "sft_weight": 0.1}
    train(tiny.config("one", **settings))
    said = together([tiny.config("two", **settings).model_dump(mode="json")])
    assert said == ["trained\n"] * 2
    one, two = (load_file(tiny.folder / name / "adapter_model.safetensors") for name in ("one", "two"))
    for name, weights in one.items():
        assert torch.allclose(weights, two[name], atol=1e-5), name


def test_packed_weights_are_a_reference_of_their_own(tiny, capfd):
    store = {"reference_store": str(tiny.folder / "store"), "max_steps": 1, "eval_share": 0.0}
    store["pairs_per_update"] = 10
    train(tiny.config("whole", load_in_4bit=False, **store))
    train(tiny.config("packed", **store))
    assert "known from earlier runs" not in capfd.readouterr().err
    train(tiny.config("again", beta=0.3, **store))
    assert "reference log-probabilities known from earlier runs: 10 of 10 pairs" in capfd.readouterr().err


def test_a_run_in_four_bits_is_not_taken_up_without_them(tiny, trained_run):
    with pytest.raises(UsageError, match="`load_in_4bit` was True and is now False"):
        train(tiny.config("trained", num_train_epochs=3, load_in_4bit=False))


def test_what_cannot_be_is_a_sentence(tiny, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match=r"--load_in_4bit leaves nothing to train: give --lora_r 16"):
        tiny.config(lora_r=0)
    with pytest.raises(UsageError, match=r"--load_in_4bit does not go with FSDP"):
        require_four_bits(sharded=True)
    with pytest.raises(UsageError, match=r"--load_in_4bit does not go with DeepSpeed"):
        require_four_bits(divided=True)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    absent = r"--load_in_4bit needs bitsandbytes: pip install 'pairwright\[qlora\]'"
    with pytest.raises(UsageError, match=absent):
        train(tiny.config("absent"))
    assert not (tiny.folder / "absent").exists()
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "say sky"}\n{"prompt": "say tree"}\n')
    rounds = {
        "judge": {"judge": "hf:nowhere"},
        "output_dir": str(tmp_path / "loop"),
        "prompts": str(prompts),
    }
    with pytest.raises(UsageError, match=absent):
        loop(LoopConfig(model=tiny.settings["model"], **rounds, train=FOUR_BITS))


def test_a_model_that_is_quantized_already_is_refused(tiny, tmp_path):
    packing = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="fp4")
    model = AutoModelForCausalLM.from_pretrained(tiny.settings["model"], quantization_config=packing)
    model.save_pretrained(tmp_path / "packed")
    load_tokenizer(tiny.settings["model"]).save_pretrained(tmp_path / "packed")
    with pytest.raises(UsageError, match=r"packed: its weights are quantized already \(bitsandbytes\)"):
        train(tiny.config("of-packed", model=str(tmp_path / "packed")))
