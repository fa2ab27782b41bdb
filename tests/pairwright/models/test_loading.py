"""In which number format a model is loaded, and what is said of a slow one."""

import logging

import pytest
import torch
from tiny_model import TinyRun, save_tiny_model

from pairwright.models.loading import load_for_generation
from train.training import train


@pytest.fixture
def of_avx2(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is said on a processor without products in bfloat16."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_format_that_is_slow_here_is_said(dtype: str, of_avx2, tmp_path):
    load_for_generation(save_tiny_model(tmp_path / "model"), dtype, "cpu")
    assert f"no products in {dtype} and takes ten times as long" in of_avx2.text
    assert "leave --dtype out" in of_avx2.text


@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_nothing_is_said_of_float32(dtype: str, of_avx2, tmp_path):
    loaded = load_for_generation(save_tiny_model(tmp_path / "model"), dtype, "cpu")
    assert loaded.model.dtype == torch.float32
    assert of_avx2.text == ""


def test_training_says_it_of_its_own_flag(of_avx2, tmp_path):
    tiny = TinyRun(tmp_path)
    train(tiny.config(bf16=True, use_cpu=True, max_steps=1))
    assert "leave --bf16 out" in of_avx2.text
