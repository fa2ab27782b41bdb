"""Model folders that are not whole, or not of the kind that is wanted, wherever models are loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_model import TinyRun, save_tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, LlamaConfig

from pairwright.errors import UsageError
from pairwright.models.loading import load_for_generation, load_for_scoring
from train.models.language import load_base
from train.reward_model.config import ScoreConfig
from train.reward_model.score import score
from train.training import train

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return Path(save_tiny_model(tmp_path_factory.mktemp("whole") / "model", tie_word_embeddings=False))


@pytest.fixture(scope="module")
def scorer(tmp_path_factory) -> Path:
    """A reward model."""
    folder = tmp_path_factory.mktemp("scorer") / "model"
    shape = json.loads((Path(save_tiny_model(folder)) / "config.json").read_text())
    config = LlamaConfig(**{k: v for k, v in shape.items() if k not in ("architectures", "model_type")})
    config.num_labels = 1
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder


def changed(source: Path, target: Path, change: Callable[[Tensors], Tensors], **config: Any) -> str:
    """A copy of a model's folder with other tensors in it, and another configuration."""
    shutil.copytree(source, target)
    save_file(
        change(load_file(source / "model.safetensors")), target / "model.safetensors", {"format": "pt"}
    )
    told = json.loads((source / "config.json").read_text()) | config
    (target / "config.json").write_text(json.dumps(told))
    return str(target)


def renamed(prefix: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {f"{prefix}{name}": value for name, value in tensors.items()}


def without(part: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: value for name, value in tensors.items() if part not in name}


def having(**more: torch.Tensor) -> Callable[[Tensors], Tensors]:
    return lambda tensors: tensors | {name.replace("__", "."): value for name, value in more.items()}


SCORE = having(score__weight=torch.ones(1, 16))
FAULTS: dict[str, tuple[Callable[[Tensors], Tensors], dict[str, Any], str]] = {
    "a wrapper's prefix": (
        renamed("module."),
        {},
        r"lacks lm_head\.weight, .*instead: module\.lm_head",
    ),
    "compiled": (renamed("_orig_mod."), {}, r"lacks lm_head\.weight, .*_orig_mod\."),
    "an adapter's wrapper": (renamed("base_model.model."), {}, r"lacks lm_head\.weight"),
    "a layer": (
        without("layers.1."),
        {},
        r"lacks model\.layers\.1\.input_layer.* and 6 more",
    ),
    "a norm": (without("model.norm"), {}, r"lacks model\.norm\.weight of LlamaForCausalLM"),
    "the head": (
        without("lm_head"),
        {},
        r"lacks lm_head\.weight of LlamaForCausalLM",
    ),
    "the embeddings": (without("embed_tokens"), {}, r"lacks model\.embed_tokens\.weight"),
    "a layer too many": (dict, {"num_hidden_layers": 1}, r"holds model\.layers\.1\..*no place"),
    "a bias too many": (
        having(model__layers__0__self_attn__q_proj__bias=torch.ones(16)),
        {},
        r"holds model\.layers\.0\.self_attn\.q_proj\.bias, for which LlamaForCausalLM has no place",
    ),
    "numbers that are none": (
        having(model__norm__weight=torch.full((16,), torch.nan)),
        {},
        r"holds numbers that are infinite or none \(NaN\) in model\.norm\.weight",
    ),
    "whole numbers": (
        lambda tensors: tensors | {"model.norm.weight": torch.ones(16, dtype=torch.int8)},
        {},
        r"holds whole numbers in model\.norm\.weight, as quantised weights are",
    ),
    "another vocabulary": (dict, {"vocab_size": 50}, r"its weights have other sizes than its config\.json"),
    "heads that do not fit": (dict, {"num_attention_heads": 3}, r"cannot be loaded as a model"),
    "a type that is none": (dict, {"dtype": "bananas"}, r"cannot be loaded as a model \(.*bananas"),
    "a reward model's head": (SCORE, {}, r"holds score\.weight, .*another kind of model"),
    "a reward model, tied": (
        lambda tensors: SCORE(without("lm_head")(tensors)),
        {"tie_word_embeddings": True},
        r"holds score\.weight, .*another kind of model",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_language_model_that_is_not_whole_is_refused_by_name(fault, whole, tmp_path):
    change, config, sentence = FAULTS[fault]
    place = changed(whole, tmp_path / "model", change, **config)
    for load in (load_for_generation, load_base):
        with pytest.raises(UsageError, match=f"^{place}: {sentence}") as refused:
            load(place)
        assert "\n" not in str(refused.value)


def test_weights_that_git_did_not_fetch_are_told(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UsageError, match=r"model\.safetensors is a pointer of Git LFS; run `git lfs pull`"):
        load_for_generation(str(tmp_path / "model"))


@pytest.mark.parametrize(
    "change",
    [
        without("nothing"),
        having(model__layers__0__self_attn__rotary_emb__inv_freq=torch.ones(4)),
        having(v_head__summary__weight=torch.ones(1, 16)),
        lambda tensors: {name.removeprefix("model."): value for name, value in tensors.items()},
    ],
    ids=["as it is", "an old buffer", "one more module", "without the prefix of its own"],
)
def test_what_is_no_fault_loads(change, whole, tmp_path):
    model = load_base(changed(whole, tmp_path / "model", change))
    assert torch.equal(model.lm_head.weight, load_base(str(whole)).lm_head.weight)


def test_tied_embeddings_are_no_fault(whole, tmp_path):
    model = load_base(changed(whole, tmp_path / "tied", without("lm_head"), tie_word_embeddings=True))
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_training_and_rewards_refuse_before_anything_is_written(whole, scorer, tmp_path):
    tiny = TinyRun(tmp_path)
    torn = changed(whole, tmp_path / "torn", without("layers.1."))
    for config in (
        tiny.config("a", model=torn),
        tiny.config("b", ref_model=torn),
        tiny.config("c", model=torn, lora_r=2, bf16=True),
        tiny.reward("d", model=torn),
        tiny.reward("e", model=changed(scorer, tmp_path / "headless", without("score"))),
    ):
        with pytest.raises(UsageError, match=r"lacks .*(layers\.1|score\.weight)"):
            train(config)
        assert not (Path(config.output_dir) / "model.safetensors").exists()


def test_a_reward_model_without_its_head_gives_no_scores(scorer, tmp_path):
    torn = changed(scorer, tmp_path / "torn", renamed("module."))
    headless = changed(scorer, tmp_path / "headless", without("score"))
    with pytest.raises(UsageError, match=r"headless: lacks score\.weight of LlamaForSeq"):
        load_for_scoring(headless)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "say sky", "completion": "sky"}\n')
    with pytest.raises(UsageError, match=r"torn: lacks .*instead: module\."):
        score(ScoreConfig(reward_model=torn, input=str(rows), out=str(tmp_path / "out")))


@pytest.fixture
def adapter(whole, tmp_path) -> Path:
    model = AutoModelForCausalLM.from_pretrained(whole)
    torch.manual_seed(1)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without("layers.1."), r"lacks .*layers\.1\.self_attn\.q_proj\.lora_A\.weight, .*of its adapter"),
        (renamed("module."), r"lacks .*instead: module\.base_model"),
        (having(base_model__model__lm_head__lora_A__weight=torch.ones(2, 16)), r"holds .*lm_head\.lora_A"),
        (lambda held: {n: v / 0 for n, v in held.items()}, r"holds numbers that are infinite or none"),
    ],
    ids=["a layer", "a prefix", "a layer too many", "no numbers"],
)
def test_an_adapter_that_is_not_whole_is_refused_by_name(change, sentence, adapter):
    path = adapter / "adapter_model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})
    for load in (load_base, load_for_generation):
        with pytest.raises(UsageError, match=f"adapter: {sentence}"):
            load(str(adapter))


def test_an_adapter_is_loaded_on_its_base(whole, adapter):
    merged = load_base(str(adapter))
    tiny_tokenizer().save_pretrained(adapter)
    apart = load_for_generation(str(adapter), "float32").model
    ids = torch.arange(9)[None]
    plain = AutoModelForCausalLM.from_pretrained(whole)(ids).logits
    torch.testing.assert_close(merged(ids).logits, apart(ids).logits, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(apart(ids).logits, plain, atol=1e-3)
    shutil.rmtree(whole.parent / "gone", ignore_errors=True)
    told = json.loads((adapter / "adapter_config.json").read_text()) | {"base_model_name_or_path": "/gone"}
    (adapter / "adapter_config.json").write_text(json.dumps(told))
    with pytest.raises(UsageError, match="is an adapter, and its base cannot be found: /gone"):
        load_base(str(adapter))
