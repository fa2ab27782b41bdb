"""What the hash of a model folder goes by, and what it must not go by."""

from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import save_file
from tiny_model import save_tiny_model

from pairwright.models.fingerprint import fingerprint, save_tokenizer
from pairwright.models.loading import load_tokenizer


def test_whether_the_hub_was_reached_is_no_part_of_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = save_tiny_model(tmp_path / "tiny")
    found = set()
    for offline in (False, True):
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
        tokenizer = load_tokenizer(tiny)
        assert tokenizer.init_kwargs["local_files_only"] is offline  # what transformers would write down
        folder = tmp_path / f"saved-{offline}"
        save_tokenizer(tokenizer, folder)
        found.add(fingerprint(folder))
    assert len(found) == 1


def test_a_change_of_any_tensor_shows(tmp_path: Path) -> None:
    """Of a file so large that its samples leave tensors out."""
    names = [f"layer.{n}" for n in range(40)]
    weights = {name: torch.zeros(900, 900) for name in names}
    save_file(weights, tmp_path / "model.safetensors")
    before = fingerprint(tmp_path)
    for name in names[::13]:
        save_file(weights | {name: torch.full((900, 900), 0.01)}, tmp_path / "model.safetensors")
        assert fingerprint(tmp_path) != before, name
    save_file(weights | {"layer.7": weights["layer.7"].clone()}, tmp_path / "model.safetensors")
    assert fingerprint(tmp_path) == before
