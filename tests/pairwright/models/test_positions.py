"""The longest sequence that a model with learned positions takes, as plain transformers shows it."""

from typing import Any

import pytest
import torch
from tiny_model import SHAPE, save_tiny_model
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BioGptConfig,
    CTRLConfig,
    GPT2Config,
    GPTBigCodeConfig,
    GPTJConfig,
    LlamaConfig,
    OPTConfig,
    Qwen3Config,
    RobertaConfig,
)

from pairwright.models.loading import load_for_generation
from pairwright.models.positions import learned_positions, positions_of

COMMON = {"vocab_size": 104, "eos_token_id": 0, "bos_token_id": None}
KINDS = {
    "gpt2": (GPT2Config(n_positions=24, n_embd=16, n_head=2, n_layer=1, **COMMON), 24),
    "gpt_bigcode": (GPTBigCodeConfig(n_positions=24, n_embd=16, n_head=2, n_layer=1, **COMMON), 24),
    "gptj": (GPTJConfig(n_positions=24, n_embd=16, n_head=2, n_layer=1, rotary_dim=8, **COMMON), 24),
    "ctrl": (CTRLConfig(n_positions=24, n_embd=16, n_head=2, n_layer=1, dff=16, **COMMON), 24),
    "opt": (
        OPTConfig(
            max_position_embeddings=24,
            hidden_size=16,
            ffn_dim=16,
            word_embed_proj_dim=16,
            num_attention_heads=2,
            num_hidden_layers=1,
            pad_token_id=0,
            **COMMON,
        ),
        24,
    ),
    "biogpt": (BioGptConfig(**(SHAPE | COMMON | {"max_position_embeddings": 24, "pad_token_id": 0})), 24),
    "roberta": (
        RobertaConfig(
            **(SHAPE | COMMON | {"max_position_embeddings": 24, "pad_token_id": 1, "is_decoder": True})
        ),
        22,
    ),
    "llama": (LlamaConfig(**(SHAPE | COMMON | {"max_position_embeddings": 24})), None),
    "qwen3": (Qwen3Config(**(SHAPE | COMMON | {"max_position_embeddings": 24})), None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_position_is_the_one_that_transformers_takes(kind: str) -> None:
    config, most = KINDS[kind]
    model = AutoModelForCausalLM.from_config(config).eval()
    assert positions_of(model) == most

    def read(tokens: int) -> Any:
        return model(input_ids=torch.full((1, tokens), 5), use_cache=False).logits

    assert read(most or 24).isfinite().all()
    if most is None:
        assert read(30).isfinite().all()
        return
    with pytest.raises((IndexError, RuntimeError)):
        read(most + 1)


def test_a_folder_says_the_same_without_its_weights_being_read(tmp_path) -> None:
    place = save_tiny_model(tmp_path / "model", KINDS["gpt2"][0])
    assert learned_positions(place) == 24
    assert load_for_generation(place).context == 24
    assert learned_positions(save_tiny_model(tmp_path / "rotary")) is None
    assert AutoConfig.from_pretrained(place).max_position_embeddings == 24
