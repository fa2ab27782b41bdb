"""Models that bring Python code: refused in a sentence, run where the user says so, never asked about."""

import json
from pathlib import Path

import pytest
from tiny_model import TinyRun, save_tiny_model
from transformers import AutoModelForCausalLM

from pairwright.engines import EngineOptions
from pairwright.engines.hf.engine import HFEngine
from pairwright.errors import UsageError
from pairwright.models.fingerprint import fingerprint
from train.training import train

CODE = """
from transformers import LlamaConfig, LlamaForCausalLM

class OwnConfig(LlamaConfig):
    model_type = "own_llama"

class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig

    def forward(self, *args, **kwargs):
        found = super().forward(*args, **kwargs)
        found.logits = 2 * found.logits
        return found
"""


def save_own_model(folder: Path) -> str:
    """A tiny Llama whose code doubles its logits."""
    save_tiny_model(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own_llama",
        "architectures": ["OwnModel"],
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(CODE)
    return str(folder)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyRun:
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    own = TinyRun(tmp_path)
    own.settings |= {"model": save_own_model(tmp_path / "own"), "loss": "dpo", "max_steps": 1}
    return own


def test_code_is_run_only_where_that_is_said(tiny: TinyRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on the terminal"))
    for load in (
        lambda: train(tiny.config("refused")),
        lambda: train(tiny.reward("refused", loss="ranking")),
        lambda: HFEngine(tiny.settings["model"], EngineOptions(), "hf:own"),
    ):
        with pytest.raises(UsageError, match="of its own, which is not run unless you say so"):
            load()
    assert not (tiny.folder / "refused").exists()
    HFEngine(tiny.settings["model"], EngineOptions(trust_remote_code=True, device="cpu"), "hf:own").close()


def test_a_model_of_its_own_code_trains_and_is_written_with_it(tiny: TinyRun):
    config = tiny.config("out", trust_remote_code=True)
    assert train(config).status == "trained"
    assert "2 * found.logits" in (tiny.folder / "out" / "own.py").read_text()
    found = AutoModelForCausalLM.from_pretrained(config.output_dir, trust_remote_code=True)
    assert type(found).__name__ == "OwnModel"
    own = train(config).metrics["grad_norm"]
    plain = train(tiny.config("plain", model=save_tiny_model(tiny.folder / "llama"))).metrics["grad_norm"]
    assert own == pytest.approx(2 * plain, rel=0.05)  # of twice the logits, which are near 0


def test_other_code_is_another_model(tmp_path: Path):
    place = Path(save_own_model(tmp_path / "own"))
    before = fingerprint(place)
    (place / "own.py").write_text(CODE.replace("2 *", "3 *"))
    assert fingerprint(place) != before
