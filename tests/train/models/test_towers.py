"""A model that also sees comes out with all that went in, and only its text is trained."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import TinyRun, save_tiny_model, tiny_tokenizer
from transformers import (
    AutoModelForImageTextToText,
    Gemma3Config,
    MllamaConfig,
    Qwen3_5Config,
)

from train.models.language import load_model
from train.models.towers import towers
from train.training import train

TEXT = {
    "vocab_size": 120,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
}
LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 2}
SEES = {"hidden_size": 16, "intermediate_size": 16, "patch_size": 8}
KINDS: dict[str, Any] = {
    "qwen3_5": lambda: Qwen3_5Config(
        text_config={
            **TEXT,
            "layer_types": ["linear_attention", "full_attention"],
            **LINEAR,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
        },
        vision_config={
            **SEES,
            "num_heads": 2,
            "depth": 1,
            "out_hidden_size": 16,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [],
        },
        image_token_id=110,
        video_token_id=111,
        vision_start_token_id=112,
        vision_end_token_id=113,
    ),
    "gemma3": lambda: Gemma3Config(
        text_config={**TEXT, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 64},
        vision_config={**SEES, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16},
        mm_tokens_per_image=4,
        image_token_index=110,
        boi_token_index=111,
        eoi_token_index=112,
    ),
    "mllama": lambda: MllamaConfig(
        text_config={**TEXT, "cross_attention_layers": [1], "rope_parameters": {"rope_theta": 1e4}},
        vision_config={
            **SEES,
            "num_hidden_layers": 1,
            "num_global_layers": 1,
            "attention_heads": 2,
            "image_size": 16,
            "vision_output_dim": 32,
            "intermediate_layers_indices": [0],
            "max_num_tiles": 1,
            "supported_aspect_ratios": [[1, 1]],
        },
        image_token_index=119,
    ),
}


def seeing(tiny: TinyRun, kind: str) -> Path:
    """A folder as it lies on the hub: model, tokenizer, processor."""
    folder = tiny.folder / kind
    torch.manual_seed(0)
    AutoModelForImageTextToText.from_config(KINDS[kind]()).float().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).write_text(json.dumps({"of": kind}))
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("towers"))


@pytest.mark.parametrize("changes", [{}, {"lora_r": 2, "merge_adapter": True}], ids=["full", "lora"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_comes_out_that_went_in(tiny: TinyRun, kind: str, changes: dict[str, Any]):
    folder = seeing(tiny, kind)
    config = tiny.config(f"{kind}{len(changes)}", model=str(folder), loss="dpo", max_steps=2, **changes)
    model = load_model(config, bf16=False)
    inner = model.get_base_model() if changes else model
    assert not any(p.requires_grad for tower in towers(inner).values() for p in tower.parameters())
    train(config)
    out = Path(config.output_dir)
    before, after = (load_file(place / "model.safetensors") for place in (folder, out))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not [name for name in changed if "vision" in name or "visual" in name or "projector" in name]
    configs = [json.loads((place / "config.json").read_text()) for place in (folder, out)]
    assert configs[0]["architectures"] == configs[1]["architectures"]
    for name in ("preprocessor_config.json", "processor_config.json"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()


def test_a_model_that_only_reads_has_no_towers(tiny: TinyRun):
    config = tiny.config(model=save_tiny_model(tiny.folder / "text"))
    assert not towers(load_model(config, bf16=False))
