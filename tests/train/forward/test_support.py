"""Whether trees are exact for a model is found out in float32, and the reason given is its own."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from tiny_model import SHAPE
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    BertConfig,
    DogeConfig,
    JambaConfig,
    Lfm2Config,
    Llama4TextConfig,
    LlamaConfig,
    PaliGemmaConfig,
    Qwen3NextConfig,
    RobertaConfig,
    StableLmConfig,
)

from train.forward.answers import Answer
from train.forward.logprobs import answer_logprobs
from train.forward.support import TreeSupport, tree_support
from train.models.language import switch_randomness_off

COMMON: dict[str, Any] = SHAPE | {
    "vocab_size": 104,
    "pad_token_id": 0,
    "eos_token_id": 0,
    "bos_token_id": 0,
}
LINEAR = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
FEW = {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 8, "head_dim": 8}
HYBRIDS = {
    "qwen3_next": Qwen3NextConfig(**COMMON, **FEW, **LINEAR, shared_expert_intermediate_size=8),
    "jamba": JambaConfig(
        **COMMON, num_experts=1, attn_layer_period=2, attn_layer_offset=1, mamba_d_state=4
    ),
    "lfm2": Lfm2Config(**COMMON, layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False),
    "doge": DogeConfig(**COMMON),
}
OWN = "its attention cannot be replaced through transformers"


def model_of(config: Any, *, head: float = 3.0) -> torch.nn.Module:
    """A random model whose logits are as spread as those of a trained one."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).float()
    with torch.no_grad():
        states = model.model(input_ids=torch.arange(4, 84)[None], use_cache=False).last_hidden_state
        model.get_output_embeddings().weight.mul_(head / model.get_output_embeddings()(states).std())
    switch_randomness_off(model)
    return model


def two_answers() -> list[Answer]:
    draw = np.random.default_rng(5)
    prompt, *answers = (draw.integers(4, 100, n, dtype=np.int32) for n in (12, 40, 40))
    return [Answer(prompt, ids) for ids in answers]


@pytest.mark.parametrize("name", HYBRIDS)
def test_an_answer_is_the_same_first_and_last_in_bfloat16(name):
    model = model_of(HYBRIDS[name]).bfloat16()
    two = two_answers()
    with torch.no_grad():
        first, last = answer_logprobs(model, two).sums_A, answer_logprobs(model, two[::-1]).sums_A.flip(0)
    assert torch.allclose(first, last, atol=0.01)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


def test_the_try_out_leaves_weights_as_they_were():
    model = model_of(LlamaConfig(**COMMON, tie_word_embeddings=True)).bfloat16()
    before = copy.deepcopy(model.state_dict())
    assert tree_support(model).trees
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.lm_head.weight is model.model.embed_tokens.weight


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (StableLmConfig(**COMMON), OWN),
        (HYBRIDS["lfm2"], "a token of one branch sees another, or its place in the forest"),
    ],
)
def test_the_reason_is_the_models_own(config, why):
    assert tree_support(model_of(config)).why == why


def test_positions_are_counted_as_the_model_counts_them():
    """RoBERTa's begin after its padding id; told others, it would be another model."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(RobertaConfig(**COMMON, is_decoder=True)).eval()
    two = two_answers()
    with torch.no_grad():
        found = answer_logprobs(model, two).sums_A
        for value, answer in zip(found, two, strict=True):
            ids = torch.tensor(np.concatenate(answer).astype(np.int64))[None]
            logps = model(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
            assert value.item() == pytest.approx(logps[11:].sum().item(), abs=1e-3)


def test_a_model_that_names_a_part_it_has_not_got_is_run():
    config = Llama4TextConfig(
        **COMMON,
        head_dim=8,
        num_local_experts=2,
        intermediate_size_mlp=24,
        attention_chunk_size=16,
        no_rope_layers=[1, 0],
        layer_types=["chunked_attention", "full_attention"],
    )
    found = tree_support(model_of(config))
    assert found == TreeSupport(True, 16, "", found.regime)


@pytest.mark.parametrize("decoder", [True, False])
def test_a_model_whose_tokens_see_ahead_is_told(decoder):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(BertConfig(**COMMON, is_decoder=decoder)).eval()
    assert tree_support(model).causal is decoder


def test_parts_of_which_some_have_another_attention_are_padded():
    """PaliGemma 2: what sees has SDPA, and its text part, a Gemma 2, has not."""
    text = COMMON | {"head_dim": 8, "model_type": "gemma2", "layer_types": ["full_attention"] * 2}
    sees = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    sees |= {"model_type": "siglip_vision_model", "image_size": 16, "patch_size": 8}
    config = PaliGemmaConfig(text_config=text, vision_config=sees, image_token_index=90, projection_dim=16)
    model = AutoModelForImageTextToText.from_config(config).eval()
    found = tree_support(model)
    assert (found.why, found.causal) == ("its attention is eager, not sdpa", True)


def test_a_machine_that_is_full_says_nothing_of_the_model():
    """Else the same model would run on padded sequences now, and its reference be stored elsewhere."""
    model = AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=64, **SHAPE)).eval()

    def full(module, args):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8")

    crowded = model.model.register_forward_pre_hook(full)
    with pytest.raises(RuntimeError, match="allocate memory"):
        tree_support(model)
    crowded.remove()
    assert tree_support(model).trees
