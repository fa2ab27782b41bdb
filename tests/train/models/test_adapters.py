"""An adapter that is trained on: its reference is the adapter as it was, and the base stays where it is."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file
from tiny_model import TinyRun, read_metrics, save_tiny_model
from transformers import AutoConfig, AutoModelForCausalLM

import pairwright as pw
from pairwright.errors import UsageError
from pairwright.models.loading import load_tokenizer
from train.data.pairs import load_pairs
from train.models.adapters import with_new_adapters
from train.models.language import load_base
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Beside the model an adapter of it that has learnt something."""
    own = TinyRun(tmp_path_factory.mktemp("adapters"))
    own.settings |= {"loss": "dpo", "learning_rate": 0.05}
    train(own.config("adapter", lora_r=2, max_steps=3, lora_target_modules=("q_proj", "up_proj")))
    return own


def adapter_of(folder: str | Path) -> dict[str, torch.Tensor]:
    return load_file(Path(folder) / "adapter_model.safetensors")


def padded_logprobs(model: Any, prompt: Any, answer: Any) -> torch.Tensor:
    """A plain loop of `transformers`: log-probability of one answer."""
    ids = torch.tensor([[*prompt, *answer]])
    logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    found: torch.Tensor = logits.gather(1, ids[0, len(prompt) :, None]).sum()
    return found


def test_an_update_is_that_of_a_plain_loop_whose_reference_is_the_adapter(tiny: TinyRun):
    start = str(tiny.folder / "adapter")
    config = tiny.config(
        "one_update", model=start, max_steps=1, eval_share=0.0, warmup_ratio=0.0, max_grad_norm=0.0
    )
    train(config)
    model = AutoPeftModelForCausalLM.from_pretrained(start, is_trainable=True).eval()
    wanted = [p for p in model.parameters() if p.requires_grad]
    update = torch.optim.AdamW(wanted, lr=config.learning_rate, weight_decay=0.0)
    pairs = {pair.row_id: pair for pair in load_pairs(config, load_tokenizer(start)).training}
    from train.trainer.schedule import schedule_of

    items = list(pairs.values())
    losses = []
    for pair in (items[index] for index in schedule_of(config, items).pairs_of(1)):
        sides = (pair.chosen_ids, pair.rejected_ids)
        now = [padded_logprobs(model, pair.prompt_tokens, side) for side in sides]
        delta_w, delta_l = (logp - logp.detach() for logp in now)  # the reference is the adapter as it is
        losses.append(-torch.nn.functional.logsigmoid(config.beta * (delta_w - delta_l)))
    torch.stack(losses).mean().backward()
    update.step()
    from peft import get_peft_model_state_dict

    expected, found = get_peft_model_state_dict(model), adapter_of(config.output_dir)
    assert expected.keys() == found.keys()
    assert all(torch.allclose(found[name], expected[name], atol=2e-5) for name in found)
    assert read_metrics(config.output_dir)[0]["loss"] == pytest.approx(0.6931472, abs=1e-6)


def test_what_comes_out_is_an_adapter_of_the_same_base(tiny: TinyRun):
    config = tiny.config("on", model=str(tiny.folder / "adapter"), max_steps=2)
    train(config)
    before, after = (
        json.loads((folder / "adapter_config.json").read_text())
        for folder in (tiny.folder / "adapter", Path(config.output_dir))
    )
    assert {name: after[name] for name in ("r", "base_model_name_or_path", "peft_type")} == {
        name: before[name] for name in ("r", "base_model_name_or_path", "peft_type")
    }
    old, new = adapter_of(tiny.folder / "adapter"), adapter_of(config.output_dir)
    assert old.keys() == new.keys()
    assert any(not torch.equal(old[name], new[name]) for name in old)
    assert not (Path(config.output_dir) / "model.safetensors").exists()


@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bf16"])
def test_merged_it_says_what_it_says_apart(tiny: TinyRun, bf16: bool):
    start = str(tiny.folder / "adapter")
    folders = []
    for how in (False, True):
        config = tiny.config(f"m{bf16}{how}", model=start, max_steps=2, bf16=bf16, merge_adapter=how)
        train(config)
        folders.append(config.output_dir)
    ids = torch.arange(40)[None]
    apart, merged = (load_base(folder)(input_ids=ids).logits for folder in folders)
    assert torch.allclose(apart, merged, atol=1e-4)


def test_merged_first_all_weights_train_or_a_new_adapter_does(tiny: TinyRun):
    start = str(tiny.folder / "adapter")
    train(tiny.config("whole", model=start, max_steps=1, merge_first=True))
    assert (tiny.folder / "whole" / "model.safetensors").exists()
    new = tiny.config(
        "new", model=start, max_steps=1, lora_r=2, merge_first=True, merge_adapter=True, learning_rate=1e-30
    )
    train(new)
    ids = torch.arange(40)[None]
    expected, found = (load_base(place)(input_ids=ids).logits for place in (start, new.output_dir))
    assert torch.allclose(found, expected, atol=1e-4)


def test_it_is_measured_compared_and_samples_as_the_merged_model_does(tiny: TinyRun):
    adapter, whole = str(tiny.folder / "adapter"), tiny.folder / "merged_whole"
    train(
        tiny.config(
            "merged_whole",
            lora_r=2,
            max_steps=3,
            lora_target_modules=("q_proj", "up_proj"),
            merge_adapter=True,
        )
    )
    prompts, checks = tiny.folder / "prompts.jsonl", tiny.folder / "checks.py"
    prompts.write_text("".join(json.dumps({"prompt": f"say x {n}"}) + "\n" for n in range(4)))
    checks.write_text("def passes(prompt, answer, row):\n    return len(answer) % 2 == 0\n")
    shared = {"prompts": str(prompts), "max_tokens": 6, "device": "cpu"}
    models = f"hf:{adapter},hf:{whole},hf:{tiny.settings['model']}"
    pw.evaluate(models, verify=f"{checks}:passes", out=str(tiny.folder / "eval"), **shared)
    answers = pw.Result(tiny.folder / "eval").frame()
    by_model = {
        model: rows["completion"].to_list() for (model,), rows in answers.group_by("completion_model")
    }
    assert by_model[f"hf:{adapter}"] == by_model[f"hf:{whole}"]
    assert by_model[f"hf:{adapter}"] != by_model[f"hf:{tiny.settings['model']}"]


def test_settings_that_ask_for_two_adapters_are_refused_in_one_sentence(tiny: TinyRun):
    start = str(tiny.folder / "adapter")
    with pytest.raises(UsageError, match="is an adapter, and is trained as it is: leave out --lora_r"):
        train(tiny.config("two", model=start, lora_r=4))
    with pytest.raises(UsageError, match="give --merge_adapter too"):
        train(tiny.config("two", model=start, lora_r=4, merge_first=True))
    assert not (tiny.folder / "two").exists()


def test_dora_on_layers_of_experts_is_refused_by_its_own_name(tiny: TinyRun):
    experts = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(
            "qwen3_moe",
            hidden_size=16,
            moe_intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            num_experts=2,
            num_experts_per_tok=1,
            vocab_size=50,
        )
    )
    with pytest.raises(UsageError, match="--use_dora: layers of experts cannot have it; leave it out"):
        with_new_adapters(experts, tiny.config("dora", lora_r=2, use_dora=True), "CAUSAL_LM")


def test_an_adapter_of_another_base_is_refused(tiny: TinyRun):
    start = tiny.folder / "moved"
    train(tiny.config("moved", lora_r=2, max_steps=1))
    settings = json.loads((start / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = save_tiny_model(tiny.folder / "wide", hidden_size=32)
    (start / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(UsageError, match="its weights do not fit the model they are for"):
        train(tiny.config("from_moved", model=str(start), max_steps=1))


def test_a_module_that_is_not_there_is_named(tiny: TinyRun) -> None:
    with pytest.raises(UsageError, match=r"the model has no `v_poj`; its layers are .*q_proj"):
        train(tiny.config("typo", lora_r=2, lora_target_modules=("q_proj", "v_poj")))


def test_an_adapter_names_its_base_wherever_it_is_used(
    tiny: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(tiny.settings["model"]).parent)
    train(tiny.config("relative", model=Path(tiny.settings["model"]).name, lora_r=2, max_steps=1))
    monkeypatch.chdir(tmp_path)
    named = json.loads((tiny.folder / "relative" / "adapter_config.json").read_text())
    assert Path(named["base_model_name_or_path"]) == Path(tiny.settings["model"]).absolute()
