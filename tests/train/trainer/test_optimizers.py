"""AdamW with its moments in eight bits; weights written in few bits."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import TinyRun, save_tiny_model

from pairwright.errors import UsageError
from train.output.checkpoint import checkpoint_folder
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    own = TinyRun(tmp_path_factory.mktemp("optimizers"))
    # Weights of fewer than 4096 numbers keep whole moments, so the embedding is larger here.
    model = save_tiny_model(own.folder / "wide", hidden_size=64, intermediate_size=96)
    own.settings |= {"model": model, "loss": "dpo", "max_steps": 4, "save_steps": 2, "learning_rate": 1e-3}
    return own


def weights(folder: str | Path) -> dict[str, torch.Tensor]:
    return load_file(Path(folder) / "model.safetensors")


def test_eight_bits_make_nearly_the_updates_of_thirty_two(tiny: TinyRun):
    whole, packed = (tiny.config(f"o{optim}", optim=optim) for optim in ("adamw_torch", "adamw_8bit"))
    for config in (whole, packed):
        train(config)
    start, one, two = map(weights, (tiny.settings["model"], whole.output_dir, packed.output_dir))
    assert any(not torch.equal(one[name], two[name]) for name in one)
    moved = sum((one[name] - start[name]).abs().sum() for name in one)
    apart = sum((one[name] - two[name]).abs().sum() for name in one)
    assert 0 < apart < 0.1 * moved
    kept = load_file(checkpoint_folder(Path(packed.output_dir), 4) / "optimizer.safetensors")
    assert kept["state1:model.embed_tokens.weight"].dtype == torch.uint8


def test_a_run_with_eight_bits_goes_on_bit_for_bit(tiny: TinyRun):
    straight = tiny.config("straight", optim="adamw_8bit")
    train(straight)
    config = tiny.config("resumed", optim="adamw_8bit")
    train(config)
    output = Path(config.output_dir)
    # As a kill after update 2 leaves it.
    record = json.loads((output / "train.json").read_text()) | {"status": "running", "files": {}}
    (output / "train.json").write_text(json.dumps(record))
    for path in (*checkpoint_folder(output, 4).iterdir(), output / "model.safetensors"):
        path.unlink()
    checkpoint_folder(output, 4).rmdir()
    train(config)
    one, two = weights(straight.output_dir), weights(output)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_eight_bits_are_refused_where_moments_are_cut(tiny: TinyRun, monkeypatch: pytest.MonkeyPatch):
    from train.trainer.optimizers import require_optimizer

    with pytest.raises(UsageError, match="does not go with FSDP or DeepSpeed"):
        require_optimizer(tiny.config(optim="adamw_8bit"), sharded=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'pairwright\[qlora\]'"):
        require_optimizer(tiny.config(optim="adamw_8bit"), sharded=False)


@pytest.mark.parametrize("asked", ["bfloat16", "float16", "auto", "float32"])
def test_weights_are_written_in_the_format_that_is_asked_for(tiny: TinyRun, asked: str):
    model = Path(tiny.settings["model"])
    config = tiny.config(f"d{asked}", save_dtype=asked, learning_rate=1e-30, max_steps=1)
    train(config)
    written = weights(config.output_dir)
    wanted = getattr(torch, "float32" if asked == "auto" else asked)
    assert {value.dtype for value in written.values()} == {wanted}
    assert all(torch.equal(value, weights(model)[name].to(wanted)) for name, value in written.items())
    saved = json.loads((Path(config.output_dir) / "config.json").read_text())
    assert saved["dtype"] == str(wanted).removeprefix("torch.")


def test_the_format_of_a_base_in_bfloat16_is_kept_with_auto(tiny: TinyRun):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = tiny.folder / "half"
    AutoModelForCausalLM.from_pretrained(tiny.settings["model"], dtype=torch.bfloat16).save_pretrained(
        place
    )
    AutoTokenizer.from_pretrained(tiny.settings["model"]).save_pretrained(place)
    settings = {"model": str(place), "save_dtype": "auto", "max_steps": 1, "learning_rate": 1e-30}
    for name, more in (("all", {}), ("merged", {"lora_r": 2, "merge_adapter": True})):
        config = tiny.config(name, **settings, **more)
        train(config)
        found, before = weights(config.output_dir), weights(place)
        assert all(torch.equal(found[key], before[key]) for key in before)
